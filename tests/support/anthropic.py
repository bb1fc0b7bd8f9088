"""A provider of Anthropic's dialect over replayed bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import Request
from interlingua_gateway.providers.accounts import dialect_of
from interlingua_gateway.providers.http import HttpProvider
from interlingua_gateway.providers.registry import BY_NAME
from interlingua_gateway.providers.transport.replay import Replayed, ReplayTransport
from tests.support.manual_clock import ManualClock
from tests.support.openai import KEY

MODEL = "claude-sonnet-5"
Json = dict[str, Any]


def attempt(
    request: Request,
    *,
    streaming: bool = False,
    lenient: bool = False,
    model: str = MODEL,
    **limits: int,
) -> Attempt:
    target = Target(deployment="d", provider="anthropic", model=model, label="d", **limits)  # type: ignore[arg-type]
    return Attempt(request, target, streaming=streaming, lenient=lenient)


class Bench:
    """A provider of the row `anthropic` that is answered with `responses` in turn."""

    def __init__(self, *responses: Replayed, **account: Any) -> None:
        self.transport = ReplayTransport(responses)
        redactor = Redactor((KEY,))
        self.dialect = dialect_of(
            BY_NAME["anthropic"],
            redactor=redactor,
            clock=ManualClock(),
            **{"api_key": KEY, **account},
        )
        self.provider = HttpProvider("anthropic", self.dialect, self.transport, redactor=redactor)


def body_of(
    request: Request, *, streaming: bool = False, model: str = MODEL, **limits: int
) -> Json:
    """The JSON body that `request` becomes."""
    tried = attempt(request, streaming=streaming, model=model, **limits)
    made: Json = msgspec.json.decode(Bench().dialect.request(tried).body)
    assert not tried.warnings
    return made


def events(values: Sequence[Json]) -> bytes:
    """Each value as an event of its type."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (value["type"].encode(), msgspec.json.encode(value))
        for value in values
    )


def start(**usage: object) -> Json:
    """`message_start`."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-20260101",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage or {"input_tokens": 7, "output_tokens": 1},
    }
    return {"type": "message_start", "message": message}


def block(index: int, content: Json, *deltas: Json) -> list[Json]:
    """A block of content with its deltas, from its start to its stop."""
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[Json]:
    """A block of text."""
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return block(index, {"type": "text", "text": ""}, *deltas)


def stop(reason: str = "end_turn", sequence: str | None = None, **usage: object) -> list[Json]:
    """`message_delta` and `message_stop`."""
    delta = {"stop_reason": reason, "stop_sequence": sequence}
    return [
        {"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 3}},
        {"type": "message_stop"},
    ]


def message(*content: Json, reason: str | None = "end_turn", **more: object) -> Json:
    """A whole message."""
    return {
        **start()["message"],
        "content": list(content),
        "stop_reason": reason,
        "usage": {"input_tokens": 7, "output_tokens": 3},
        **more,
    }
