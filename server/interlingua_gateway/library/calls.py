"""Runs the program's calls through the stack of policies; all of it on the gateway's own loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from interlingua_gateway.app.embedded import Embedded
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.errors import (
    CallerError,
    GatewayError,
    InternalError,
    Reason,
    UpstreamError,
)
from interlingua_gateway.core.events import Answer
from interlingua_gateway.core.ids import operation_id
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.run import run
from interlingua_gateway.core.types import EmbedRequest, GenerateRequest, Request
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.library.most_inputs import most_inputs
from interlingua_gateway.library.pipe import Pipe
from interlingua_gateway.library.results import (
    EmbedResult,
    GenerateResult,
    embedded,
    generated,
    joined,
)
from interlingua_gateway.library.wishes import Wishes

T = TypeVar("T")
_Request = TypeVar("_Request", bound=Request)

log = logging.getLogger("interlingua.library")


class Calls:
    """`ready` is awaited by each call before anything else, within its own deadline."""

    def __init__(
        self, engine: Embedded, ready: Callable[[], Awaitable[None]], clock: Clock
    ) -> None:
        self._engine = engine
        self._ready = ready
        self._clock = clock

    async def generate(self, request: GenerateRequest, wishes: Wishes) -> GenerateResult:
        """One whole answer."""
        call = self._call(request, wishes, "Generate")
        start, answer = await self._run(call, _whole)
        return generated(call, start, answer, self._clock.monotonic() - call.started)

    async def stream(self, request: GenerateRequest, wishes: Wishes, pipe: Pipe) -> None:
        """The answer as it comes, into `pipe`; what goes wrong goes there too."""
        call = self._call(request, wishes, "StreamGenerate", streaming=True)

        async def forward(reply: Reply) -> Start:
            while (batch := await reply.next()) is not None:
                await pipe.put(batch)
            return reply.start

        try:
            start = await self._run(call, forward)
            duration_s = self._clock.monotonic() - call.started
            pipe.end(lambda answer: generated(call, start, answer, duration_s))
        except GatewayError as error:
            pipe.fail(error)
        except BaseException:
            pipe.fail(CallerError(Reason.CANCELLED, "The stream was closed before its end."))
            raise

    async def embed(self, request: EmbedRequest, wishes: Wishes) -> EmbedResult:
        """Vectors for every input, by as many calls as the provider's limit makes necessary."""
        size = self._most_inputs(request.model) or len(request.inputs)
        parts = [
            msgspec.structs.replace(request, inputs=request.inputs[first : first + size])
            for first in range(0, len(request.inputs), size)
        ]
        if len(parts) == 1:
            return await self._embed(request, wishes)
        if wishes.idempotency_key:
            raise CallerError.of_field(
                "idempotency_key", f"holds for one request of at most {size} inputs"
            )
        results = await self._each(parts, lambda part: self._embed(part, wishes), None)
        for result in results:
            if isinstance(result, GatewayError):
                raise result
        return joined([result for result in results if isinstance(result, EmbedResult)])

    async def batch(
        self, requests: Sequence[GenerateRequest], wishes: Wishes, max_parallel: int | None
    ) -> list[GenerateResult | GatewayError]:
        """The answers in the order of the requests; what failed is an exception in its place."""
        if max_parallel is not None and max_parallel < 1:
            raise CallerError.of_field("max_parallel", "must be at least 1")
        return await self._each(requests, lambda one: self.generate(one, wishes), max_parallel)

    async def _embed(self, request: EmbedRequest, wishes: Wishes) -> EmbedResult:
        call = self._call(request, wishes, "Embed")

        async def whole(reply: Reply) -> tuple[Start, Answer]:
            start, answer = await _whole(reply)
            if len(answer.vectors) != len(request.inputs):
                raise UpstreamError(
                    Reason.UPSTREAM_INVALID_RESPONSE,
                    f"The provider gave {len(answer.vectors)} vectors for "
                    f"{len(request.inputs)} inputs.",
                )
            return start, answer

        start, answer = await self._run(call, whole)
        return embedded(call, start, answer, self._clock.monotonic() - call.started)

    async def _each(
        self,
        requests: Sequence[_Request],
        make: Callable[[_Request], Awaitable[T]],
        max_parallel: int | None,
    ) -> list[T | GatewayError]:
        results: dict[int, T | GatewayError] = {}
        waiting = iter(enumerate(requests))
        widest = self._engine.config.server.batch_concurrency
        width = min(max_parallel or widest, len(requests))
        tasks = Tasks()
        try:
            workers = [tasks.start(_work(waiting, make, results), "batch") for _ in range(width)]
            await asyncio.gather(*workers)
        finally:
            await tasks.aclose()
        return [results[index] for index in range(len(requests))]

    async def _run(self, call: Call, consume: Callable[[Reply], Awaitable[T]]) -> T:
        async def handle(call: Call) -> Reply:
            await self._ready()
            # With the tenant's tier and models, which are known by now.
            call.caller = self._engine.caller(call.caller.tenant, call.caller.user)
            return await self._engine.handle(call)

        try:
            return await run(call, handle, consume, self._clock)
        except GatewayError as error:
            error.metadata.setdefault("operation_id", call.id)
            raise
        except Exception as error:  # the bridge to the program
            log.exception("a call failed in the gateway", extra={"fields": {"id": call.id}})
            raise InternalError(f"The gateway failed; its log says more of {call.id}.") from error

    def _call(
        self, request: Request, wishes: Wishes, method: str, *, streaming: bool = False
    ) -> Call:
        started = self._clock.monotonic()
        timeout_s = wishes.timeout_s or self._engine.config.server.default_deadline_s
        return Call(
            request,
            call_id=operation_id(self._clock),
            method=method,
            started=started,
            deadline=None if timeout_s is None else started + timeout_s,
            streaming=streaming,
            routing=wishes.routing,
            caching=wishes.caching,
            priority=wishes.priority,
            idempotency_key=wishes.idempotency_key,
            caller=Caller(tenant=wishes.tenant, user=wishes.user),
            tags=wishes.tags,
            metadata=wishes.metadata,
            trace=wishes.trace,
        )

    def _most_inputs(self, alias: str) -> int | None:
        model = self._engine.routing.directory.find(alias)
        if model is None:
            return None
        providers = self._engine.config.providers
        found = (most_inputs(providers[t.provider].kind, t.model) for t in model.targets)
        return min((most for most in found if most is not None), default=None)


async def _whole(reply: Reply) -> tuple[Start, Answer]:
    return reply.start, await reply.collect()


async def _work(
    waiting: Iterator[tuple[int, _Request]],
    make: Callable[[_Request], Awaitable[T]],
    results: dict[int, T | GatewayError],
) -> None:
    for index, request in waiting:
        try:
            results[index] = await make(request)
        except GatewayError as error:
            results[index] = error
