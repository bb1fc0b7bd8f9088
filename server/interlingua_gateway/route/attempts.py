"""Makes single attempts at targets, and tells everybody who counts how they went."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlingua_gateway.core.call import Attempt, Call, Phase
from interlingua_gateway.core.clock import Clock, Timeout
from interlingua_gateway.core.errors import CallerError, GatewayError, Reason, UpstreamError
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import GenerateRequest, Request
from interlingua_gateway.core.wishes import Leniency
from interlingua_gateway.route.record import Counts, Record
from interlingua_gateway.route.watch import Watched


class Attempts:
    """Opens answers. Whoever gets an Opened accepts or rejects it."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        counts: Counts,
    ) -> None:
        self._providers = providers
        self._counts = counts
        self._clock = counts.clock

    async def open(
        self, call: Call, request: Request, target: Target, share_s: float | None = None
    ) -> Opened:
        """The answer of `target` to `request`, with its first event there.

        `share_s` bounds the wait for the first event of a stream.

        Raises:
            CallerError: the target cannot serve the request as it is.
            UpstreamError: the target failed before its first event.
        """
        call.target = target
        attempt = Attempt(
            _within_limit(request, target),
            target,
            streaming=call.streaming,
            lenient=call.routing.leniency is Leniency.WARN,
            headers=call.trace,
        )
        record = Record(self._counts, call, attempt)
        try:
            bound_s = attempt.first_event_bound_s(share_s)
            if _ends_before(call, record.started + bound_s):
                reply = await self._providers[target.provider].open(attempt)
            else:
                reply = await self._answer(attempt, bound_s)
        except BaseException as error:
            call.phase = attempt.phase
            record.end(error)
            if isinstance(error, GatewayError):
                error.metadata.setdefault("deployment", target.deployment)
            raise
        record.answered()
        return Opened(call, attempt, reply, record, self._clock)

    async def _answer(self, attempt: Attempt, bound_s: float) -> Reply:
        bound = Timeout(self._clock, self._clock.monotonic() + bound_s)
        try:
            with bound:
                return await self._providers[attempt.target.provider].open(attempt)
        except TimeoutError as error:
            if not bound.fired:
                raise
            raise UpstreamError(
                Reason.UPSTREAM_TIMEOUT,
                f"The provider gave no answer within {bound_s:g} s.",
                metadata={"phase": str(attempt.phase)},
            ) from error


class Opened:
    """An answer that has begun."""

    __slots__ = ("_attempt", "_call", "_clock", "record", "reply")

    def __init__(
        self, call: Call, attempt: Attempt, reply: Reply, record: Record, clock: Clock
    ) -> None:
        self._call = call
        self._attempt = attempt
        self.record = record
        self._clock = clock
        self.reply = reply

    @property
    def target(self) -> Target:
        return self._attempt.target

    def accept(self) -> Reply:
        """It is the answer of the call."""
        call, target, record = self._call, self.target, self.record
        call.target = target
        call.phase = Phase.STREAM
        call.warnings.extend(self._attempt.warnings)
        if self.reply.source is None:
            record.end(None)
        else:
            self.reply.source = Watched(
                self.reply.source,
                self._clock,
                target.timeouts.stall_s,
                record.started + target.timeouts.total_s,
                record.end,
            )
        return self.reply

    async def reject(self) -> None:
        """Another one was faster: end the upstream."""
        self.record.lost()
        await self.reply.aclose()


def _ends_before(call: Call, when: float) -> bool:
    """Whether the call is ended before `when` by its own deadline."""
    return call.bounded and call.deadline is not None and call.deadline < when


def _within_limit(request: Request, target: Target) -> Request:
    """The request under the target's own limits.

    Raises:
        CallerError: it asks for more output than the configuration allows this model.
    """
    limit = target.max_output_tokens
    if not isinstance(request, GenerateRequest) or limit is None:
        return request
    asked = request.sampling.max_output_tokens
    if asked is not None and asked > limit:
        raise CallerError.of_field(
            "sampling.max_output_tokens", f"model `{request.model}` gives at most {limit}"
        )
    if asked is not None:
        return request
    sampling = msgspec.structs.replace(request.sampling, max_output_tokens=limit)
    return msgspec.structs.replace(request, sampling=sampling)
