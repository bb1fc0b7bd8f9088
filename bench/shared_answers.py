"""What keeping and sharing answers costs a call, in microseconds of CPU, against a bare handler.

Run: python bench/shared_answers.py [calls]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.call import Call, Handler
from interlingua_gateway.core.clock import SystemClock, Tasks
from interlingua_gateway.core.events import (
    Finish,
    FinishReason,
    TextDelta,
    Usage,
    UsageUpdate,
    Vector,
)
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.run import run
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import (
    EmbedInput,
    EmbedRequest,
    GenerateRequest,
    Message,
    Request,
    Role,
    Text,
)
from interlingua_gateway.core.wishes import CacheMode, Caching
from interlingua_gateway.policies.cache import Cache, CacheRule
from interlingua_gateway.policies.dedupe import Dedupe, DedupeRule
from interlingua_gateway.policies.embed_batches import EmbedBatches, EmbedBatchRule
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.policies.flight import Flights
from interlingua_gateway.policies.idempotency import Idempotency
from interlingua_gateway.store.memory_blobs import MemoryBlobs

CLOCK = SystemClock()
TARGET = Target(deployment="d", provider="p", model="m", label="d")
START = Start("d", "p", "m")
TEXT = tuple(TextDelta(0, "word ") for _ in range(100))
ANSWER = (*TEXT, UsageUpdate(Usage(100, 100)), Finish(0, FinishReason.STOP))
MESSAGES = tuple(
    Message(role=Role.USER, parts=(Text(text=f"{number} " * 50),)) for number in range(10)
)
ASKED = GenerateRequest(model="m", messages=MESSAGES)
EMBEDDED = EmbedRequest(model="m", inputs=(EmbedInput(text="some text to embed"),))


async def bare(call: Call) -> Reply:
    call.target = TARGET
    if isinstance(call.request, EmbedRequest):
        return Reply(START, tuple(Vector(i, b"1234" * 64) for i in range(len(call.request.inputs))))
    return Reply(START, ANSWER)


class Streamed:
    """A hundred and two batches of one event."""

    def __init__(self) -> None:
        self._rest = iter(ANSWER[1:])

    async def next(self) -> tuple[object, ...] | None:
        event = next(self._rest, None)
        return None if event is None else (event,)

    async def aclose(self) -> None: ...


async def streaming(call: Call) -> Reply:
    call.target = TARGET
    return Reply(START, ANSWER[:1], Streamed())


async def consume(reply: Reply) -> None:
    while await reply.next() is not None:
        pass


def one(request: Request, **fields: object) -> Call:
    now = CLOCK.monotonic()
    return Call(request, call_id="op", method="Generate", started=now, **fields)


async def each(handler: Handler, calls: int, request: Request, **fields: object) -> float:
    """CPU microseconds a call, one after the other, best of five."""

    async def sweep(count: int) -> None:
        for _ in range(count):
            await run(one(request, **fields), handler, consume, CLOCK)

    return await best(sweep, calls)


async def together(handler: Handler, calls: int, request: Request) -> float:
    """CPU microseconds a call, a hundred at once, best of five."""

    async def sweep(count: int) -> None:
        for _ in range(count // 100):
            await asyncio.gather(*(run(one(request), handler, consume, CLOCK) for _ in range(100)))

    return await best(sweep, calls)


async def best(sweep: Callable[[int], Awaitable[None]], calls: int) -> float:
    await sweep(100)
    found = []
    for _ in range(5):
        began = time.process_time()
        await sweep(calls)
        found.append((time.process_time() - began) / calls * 1e6)
    return min(found)


async def measure(calls: int) -> dict[str, float]:
    tasks, prints = Tasks(), Fingerprints()
    flights = Flights(tasks, CLOCK)
    blobs = MemoryBlobs(2**26, CLOCK)
    rule = CacheRule(configuration="c", targets={"d": TARGET}, ttl_s=3600.0, max_answer_bytes=2**20)
    none: Aliases[CacheRule] = Aliases({"m": None})
    idempotency = Idempotency(blobs, 3600.0, flights, prints, CLOCK)
    idle = (idempotency, Cache(none, blobs, prints, CLOCK))
    cache = Cache(Aliases({"m": rule}), blobs, prints, CLOCK)
    dedupe = Dedupe(Aliases({"m": DedupeRule(configuration="c")}), flights, prints)
    batch = EmbedBatchRule(max_delay_s=0.005, max_inputs=100)
    batches = EmbedBatches(Aliases({"m": batch}), tasks, CLOCK)
    refresh = {"caching": Caching(mode=CacheMode.REFRESH)}
    whole = await each(bare, calls, ASKED)
    stream = await each(streaming, calls // 10, ASKED)
    vectors = await together(bare, calls, EMBEDDED)
    return {
        "nothing configured": await each(stack(idle, bare), calls, ASKED) - whole,
        "cache, miss and write": await each(stack((cache,), bare), calls, ASKED, **refresh) - whole,
        "cache, hit": await each(stack((cache,), bare), calls, ASKED) - whole,
        "dedupe, alone": await each(stack((dedupe,), bare), calls, ASKED) - whole,
        "dedupe, alone, 102 batches": (
            await each(stack((dedupe,), streaming), calls // 10, ASKED) - stream
        ),
        "dedupe, one of 100 callers": await together(stack((dedupe,), bare), calls, ASKED),
        "idempotency key, answer kept": (
            await each(stack((idempotency,), bare), calls, ASKED, idempotency_key="k") - whole
        ),
        "embed batching, one of 100 callers": (
            await together(stack((batches,), bare), calls, EMBEDDED) - vectors
        ),
    }


if __name__ == "__main__":
    measured = asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
    print(json.dumps({name: round(value, 2) for name, value in measured.items()}, indent=2))
