"""Serves a call: one target after the other until one answers; after its first event no more."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlingua_gateway.core.call import Attempt, Call, Phase
from interlingua_gateway.core.clock import Clock, Timeout
from interlingua_gateway.core.errors import CallerError, GatewayError, Reason, UpstreamError
from interlingua_gateway.core.events import AttemptRecord, Outcome
from interlingua_gateway.core.ports import Directory, Provider
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import CountRequest, EmbedRequest, GenerateRequest
from interlingua_gateway.core.wishes import Leniency
from interlingua_gateway.route.plan import plan
from interlingua_gateway.route.vitals import Vitals
from interlingua_gateway.route.watch import Watched
from interlingua_gateway.telemetry.upstream import UpstreamMetrics


class Dispatch:
    """The innermost handler."""

    def __init__(
        self,
        directory: Directory,
        providers: Mapping[str, Provider],
        vitals: Vitals,
        metrics: UpstreamMetrics,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._providers = providers
        self._vitals = vitals
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, call: Call) -> Reply:
        """The reply of the first target that answers.

        Raises:
            CallerError: unknown model, or the request is at fault.
            UpstreamError: the only target failed, or ALL_TARGETS_FAILED.
        """
        failures: list[UpstreamError] = []
        for target in plan(call, self._directory):
            try:
                return await self._try(call, target)
            except UpstreamError as error:
                if not error.retryable:
                    raise
                failures.append(error)
        raise _combined(call, failures)

    async def _try(self, call: Call, target: Target) -> Reply:
        call.target = target
        attempt = Attempt(
            _resolved(call, target),
            target,
            streaming=call.streaming,
            lenient=call.routing.leniency is Leniency.WARN,
            headers=call.trace,
        )
        watch = _Record(self, call, target)
        try:
            reply = await self._open(attempt)
        except BaseException as error:
            call.phase = attempt.phase
            watch.end(error)
            if isinstance(error, GatewayError):
                error.metadata.setdefault("deployment", target.deployment)
            raise
        watch.answered()
        call.phase = Phase.STREAM
        call.warnings.extend(attempt.warnings)
        if reply.source is None:
            watch.end(None)
        else:
            reply.source = Watched(
                reply.source,
                self._clock,
                target.timeouts.stall_s,
                watch.started + target.timeouts.total_s,
                watch.end,
            )
        return reply

    async def _open(self, attempt: Attempt) -> Reply:
        bound_s = attempt.first_event_bound_s
        try:
            with Timeout(self._clock, self._clock.monotonic() + bound_s):
                return await self._providers[attempt.target.provider].open(attempt)
        except TimeoutError as error:
            raise UpstreamError(
                Reason.UPSTREAM_TIMEOUT,
                f"The provider gave no answer within {bound_s:g} s.",
                metadata={"phase": str(attempt.phase)},
            ) from error

    def began(self, target: Target) -> None:
        """An attempt has begun."""
        self._vitals.began(target)
        self._metrics.began(target)

    def ended(self, call: Call, target: Target, record: AttemptRecord) -> None:
        """It has ended."""
        call.attempts.append(record)
        self._vitals.ended(target, record)
        self._metrics.ended(call, target, record)

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return self._clock.monotonic()


class _Record:
    """Times one attempt and reports it once."""

    __slots__ = ("_call", "_dispatch", "_first_event_s", "_open", "_target", "started")

    def __init__(self, dispatch: Dispatch, call: Call, target: Target) -> None:
        self._dispatch = dispatch
        self._call = call
        self._target = target
        self._first_event_s: float | None = None
        self._open = True
        self.started = dispatch.now()
        dispatch.began(target)

    def answered(self) -> None:
        """The first event is there."""
        self._first_event_s = self._dispatch.now() - self.started

    def end(self, error: BaseException | None) -> None:
        """The attempt is over: None for a whole answer."""
        if not self._open:
            return
        self._open = False
        target = self._target
        record = AttemptRecord(
            deployment=target.deployment,
            provider=target.provider,
            model=target.model,
            outcome=_outcome(error),
            reason=_reason(error),
            duration_s=self._dispatch.now() - self.started,
            time_to_first_event_s=self._first_event_s,
        )
        self._dispatch.ended(self._call, target, record)


def _outcome(error: BaseException | None) -> Outcome:
    if error is None:
        return Outcome.OK
    return Outcome.FAILED if isinstance(error, Exception) else Outcome.CANCELLED


def _reason(error: BaseException | None) -> str:
    if isinstance(error, GatewayError):
        return str(error.metadata.get("cause", error.reason))
    return str(Reason.INTERNAL) if isinstance(error, Exception) else ""


def _resolved(call: Call, target: Target) -> GenerateRequest | EmbedRequest | CountRequest:
    """The request under the target's own limits.

    Raises:
        CallerError: it asks for more output than the configuration allows this model.
    """
    request = call.request
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


def _combined(call: Call, failures: list[UpstreamError]) -> UpstreamError:
    tried = ", ".join(f"{record.deployment}={record.reason}" for record in call.attempts)
    if len(failures) == 1:
        failures[0].metadata["attempts"] = tried
        return failures[0]
    delays = [error.retry_after_s for error in failures if error.retry_after_s is not None]
    return UpstreamError(
        Reason.ALL_TARGETS_FAILED,
        f"All {len(failures)} deployments of the model failed.",
        retry_after_s=min(delays, default=None),
        metadata={"attempts": tried},
    )
