"""An upstream that never ends its answer, and knows when its caller has left."""

from __future__ import annotations

import asyncio

from tests.support.upstream import STREAM_HEAD, Visit, sse


def delta(text: str) -> bytes:
    """An event of OpenAI's streams with a piece of text."""
    body = '{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"%s"}}]}'
    return sse((body % text).encode())


class Endless:
    """Says one word of a stream and then nothing, or with `silent` nothing at all."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        if not self._silent:
            await visit.send(STREAM_HEAD + delta("word"))
        self.asked.set()
        await visit.gone()
        self.left.set()


def openai_tree(url: str) -> dict[str, object]:
    """A configuration whose `default` is an upstream at `url`."""
    return {
        "providers": {"up": {"kind": "openai", "base_url": url, "api_key": "k-1"}},
        "models": [{"name": "default", "targets": [{"provider": "up", "model": "m"}]}],
    }
