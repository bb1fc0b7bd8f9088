"""Every failure the gateway can report, as one small tree of exceptions.

    GatewayError
    +-- CallerError      the request or its sender is at fault; unchanged it fails again
    +-- PolicyError      a rule of the gateway refused the call: limits, budgets, guardrails, load
    +-- UpstreamError    a provider failed, refused or broke off
    +-- InternalError    the gateway or its configuration is at fault

A `message` is written for the caller and never holds a secret or an unfiltered upstream text.
Only the wire maps these to protocol statuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """Why a call failed; each value is `ERROR_REASON_<NAME>` in the contract's ErrorReason."""

    INVALID_REQUEST = "INVALID_REQUEST"
    UNSUPPORTED_PARAMETER = "UNSUPPORTED_PARAMETER"
    CONTEXT_LENGTH_EXCEEDED = "CONTEXT_LENGTH_EXCEEDED"
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    CREDENTIALS_INVALID = "CREDENTIALS_INVALID"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"
    QUEUE_FULL = "QUEUE_FULL"
    OVERLOADED = "OVERLOADED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    GUARDRAIL_BLOCKED = "GUARDRAIL_BLOCKED"
    CONTENT_FILTERED = "CONTENT_FILTERED"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    UPSTREAM_RATE_LIMITED = "UPSTREAM_RATE_LIMITED"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    UPSTREAM_TIMEOUT = "UPSTREAM_TIMEOUT"
    UPSTREAM_INVALID_RESPONSE = "UPSTREAM_INVALID_RESPONSE"
    UPSTREAM_REFUSED_CREDENTIALS = "UPSTREAM_REFUSED_CREDENTIALS"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    ALL_TARGETS_FAILED = "ALL_TARGETS_FAILED"
    STREAM_BROKEN = "STREAM_BROKEN"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    INTERNAL = "INTERNAL"


class Violation(msgspec.Struct, frozen=True):
    """One thing that must change: `subject` is a field path (`messages[0].parts[1].image`), a
    quota or a precondition; `description` says what is wrong and what would be right."""

    subject: str
    description: str


class Resource(msgspec.Struct, frozen=True):
    """The thing that was not found: its kind (`model`) and the name the caller gave."""

    kind: str
    name: str


class GatewayError(Exception):
    """A failure with everything that the caller needs in order to act on it.

    Attributes:
        reason: the machine-readable cause.
        message: one or two sentences for a person; safe to show.
        retry_after_s: seconds after which the same call may succeed, or None if unknown.
        violations: fields, quotas or preconditions, where the reason has them.
        resource: what was not found, for the two not-found reasons.
        metadata: further facts as short strings; safe to show.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_after_s: float | None = None,
        violations: tuple[Violation, ...] = (),
        resource: Resource | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s
        self.violations = violations
        self.resource = resource
        self.metadata: dict[str, str] = dict(metadata or {})

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"

    def again(self) -> GatewayError:
        """The same failure as an exception of its own, for a further caller."""
        twin = type(self).__new__(type(self), self.message)
        twin.__dict__.update(self.__dict__)
        twin.metadata = dict(self.metadata)
        return twin


class CallerError(GatewayError):
    """The request or its sender is at fault."""

    @classmethod
    def of_field(
        cls, path: str, description: str, reason: Reason = Reason.INVALID_REQUEST
    ) -> CallerError:
        """An invalid request with one field to blame."""
        violation = Violation(path, description)
        return cls(reason, f"{path}: {description}", violations=(violation,))


class PolicyError(GatewayError):
    """A rule of the gateway refused the call."""


class UpstreamError(GatewayError):
    """A provider failed; `retryable` says whether another attempt or target may succeed."""

    RETRYABLE = frozenset(
        {
            Reason.UPSTREAM_RATE_LIMITED,
            Reason.UPSTREAM_UNAVAILABLE,
            Reason.UPSTREAM_TIMEOUT,
            Reason.UPSTREAM_INVALID_RESPONSE,
            Reason.UPSTREAM_REFUSED_CREDENTIALS,
            Reason.CIRCUIT_OPEN,
        }
    )

    @property
    def retryable(self) -> bool:
        return self.reason in self.RETRYABLE


class InternalError(GatewayError):
    """The gateway or its configuration is at fault; the caller gets a correlation id only."""

    def __init__(self, message: str, reason: Reason = Reason.INTERNAL) -> None:
        super().__init__(reason, message)
