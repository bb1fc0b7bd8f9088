"""Collects what went wrong with the targets of a call, and what the caller is told of it."""

from __future__ import annotations

from typing import Final

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.errors import (
    CallerError,
    GatewayError,
    PolicyError,
    Reason,
    UpstreamError,
    Violation,
)
from interlingua_gateway.core.target import Target
from interlingua_gateway.route.fleet import Obstacle, Why

_ONLY_THIS_TARGET: Final = frozenset(
    {Reason.UNSUPPORTED_PARAMETER, Reason.CONTEXT_LENGTH_EXCEEDED, Reason.MODEL_NOT_FOUND}
)
"""Faults of the request at one target that another one may not have."""

_FOR_GOOD: Final = frozenset({Reason.UPSTREAM_REFUSED_CREDENTIALS, Reason.UPSTREAM_TIMEOUT})
"""What the same target would fail with again, or what took too long to be tried twice."""


class Failures:
    """What has become of the targets of one call."""

    __slots__ = ("_call", "_errors", "_obstacles", "_recent", "_refused", "_too_long", "hopeless")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._errors: list[UpstreamError] = []
        self._recent: list[UpstreamError] = []
        self._obstacles: dict[str, Obstacle] = {}
        self._refused: CallerError | None = None
        self._too_long: Target | None = None
        self.hopeless: set[str] = set()
        """Deployments that this call need not try again."""

    def begin_round(self) -> None:
        """Forget what stood in the way of the last round."""
        self._obstacles.clear()
        self._recent.clear()

    def obstacle(self, target: Target, obstacle: Obstacle) -> None:
        """`target` could not be tried."""
        self._obstacles[target.deployment] = obstacle

    def add(self, target: Target, error: GatewayError) -> bool:
        """`target` failed; whether another target is worth an attempt."""
        if isinstance(error, UpstreamError) and error.retryable:
            self._errors.append(error)
            self._recent.append(error)
            if error.reason in _FOR_GOOD:
                self.hopeless.add(target.deployment)
            return True
        if not isinstance(error, CallerError) or error.reason not in _ONLY_THIS_TARGET:
            return False
        self.hopeless.add(target.deployment)
        self._refused = self._refused or error
        if error.reason is Reason.CONTEXT_LENGTH_EXCEEDED:
            self._too_long = target
        return True

    def too_small(self, target: Target) -> bool:
        """Whether another target of no larger context window has refused the call as too long."""
        if self._too_long is None:
            return False
        known, window = self._too_long.context_window_tokens, target.context_window_tokens
        return known is None or window is None or window <= known

    @property
    def wanted_s(self) -> float | None:
        """In how many seconds the first of the targets may be asked again, as far as they say."""
        delays = [error.retry_after_s for error in self._recent if error.retry_after_s is not None]
        delays += [
            obstacle.ends_in_s
            for obstacle in self._obstacles.values()
            if obstacle.ends_in_s is not None
        ]
        return min(delays, default=None)

    @property
    def worth_waiting(self) -> bool:
        """Whether the same targets may serve the call after a while.

        Full bulkheads and open circuits are no reason to let calls pile up; a rate limit whose end
        is known, and a failure, are.
        """
        limited = any(o.why is Why.RATE_LIMITED for o in self._obstacles.values())
        return limited or any(error.reason not in _FOR_GOOD for error in self._recent)

    @property
    def attempted(self) -> bool:
        """Whether a target was tried and failed."""
        return bool(self._errors)

    def combined(self) -> GatewayError:
        """The one error that tells the caller of all."""
        if self._errors:
            return self._of_errors()
        if self._refused is not None:
            return self._refused
        return self._of_obstacles()

    def _of_errors(self) -> UpstreamError:
        records = [record for record in self._call.attempts if not record.classifying]
        tried = ", ".join(f"{record.deployment}={record.reason}" for record in records)
        if len(self._errors) == 1 and not self._obstacles:
            self._errors[0].metadata["attempts"] = tried
            return self._errors[0]
        names = {record.deployment for record in records} | self._obstacles.keys()
        if len(names) == 1:
            self._errors[-1].metadata["attempts"] = tried
            return self._errors[-1]
        return UpstreamError(
            Reason.ALL_TARGETS_FAILED,
            f"None of the {len(names)} deployments of the model could answer: {tried}.",
            retry_after_s=self.wanted_s,
            metadata={"attempts": tried},
        )

    def _of_obstacles(self) -> GatewayError:
        whys = {obstacle.why for obstacle in self._obstacles.values()}
        names = ", ".join(self._obstacles)
        if Why.RATE_LIMITED in whys:
            reason, text = Reason.UPSTREAM_RATE_LIMITED, "has limited the gateway's rate"
        elif Why.CIRCUIT_OPEN in whys:
            reason, text = Reason.CIRCUIT_OPEN, "failed so often that it is given a rest"
        else:
            text = "Every deployment of the model is as busy as it may be."
            violations = tuple(
                Violation(f"deployment:{name}", "serves as many calls as it may")
                for name in self._obstacles
            )
            return PolicyError(Reason.OVERLOADED, text, violations=violations)
        return UpstreamError(
            reason,
            f"Every deployment of the model is unavailable: one {text}.",
            retry_after_s=self.wanted_s,
            metadata={"deployment": names},
        )
