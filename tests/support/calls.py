"""Calls as policies see them, and what consumers of a reply do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from interlingua_gateway.core.call import Call, Handler
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.events import Answer, Batch, TextDelta
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.run import run
from interlingua_gateway.core.types import (
    EmbedInput,
    EmbedRequest,
    GenerateRequest,
    Message,
    Role,
    Sampling,
    Text,
)


def ask(model: str = "text", text: str = "hello", **sampling: object) -> GenerateRequest:
    """A conversation of one user message."""
    message = Message(role=Role.USER, parts=(Text(text=text),))
    return GenerateRequest(model=model, messages=(message,), sampling=Sampling(**sampling))


def embed(*texts: str, model: str = "vectors", **fields: object) -> EmbedRequest:
    """Texts to embed."""
    inputs = tuple(EmbedInput(text=text) for text in texts)
    return EmbedRequest(model=model, inputs=inputs, **fields)


def call(request: object = None, clock: Clock | None = None, **fields: object) -> Call:
    """A call that began at `clock`'s now; `fields` are further arguments of Call."""
    started = clock.monotonic() if clock else 0.0
    fields = {"call_id": "op_1", "method": "Generate", "started": started, **fields}
    return Call(ask() if request is None else request, **fields)


async def collect(reply: Reply) -> Answer:
    """Consume like a unary method."""
    return await reply.collect()


class Reader:
    """Consumes like a streaming method: `batches` grows as they come."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    async def __call__(self, reply: Reply) -> None:
        async for batch in reply:
            self.batches.append(batch)

    @property
    def text(self) -> str:
        events = (event for batch in self.batches for event in batch)
        return "".join(event.text for event in events if isinstance(event, TextDelta))


def started(call: Call, handler: Handler, reader: Reader, clock: Clock) -> asyncio.Task[None]:
    """`call` being read by `reader` in a task of its own."""
    return asyncio.create_task(run(call, handler, reader, clock))


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition` holds; the test's timeout bounds it."""
    while not condition():
        turned = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turned.set_result, None)
        await turned
