"""Says what went wrong: from the upstream's status and codes, never from anybody's prose."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import (
    CallerError,
    GatewayError,
    InternalError,
    Reason,
    UpstreamError,
)
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.dialect import Header
from interlingua_gateway.providers.openai.failures import Failures

_STATUS_OF: Mapping[str, int] = {
    "authentication_error": 401,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "NOT_FOUND": 404,
    "invalid_request_error": 400,
    "INVALID_ARGUMENT": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "RESOURCE_EXHAUSTED": 429,
    "overloaded_error": 529,
}
"""The status that an error inside a 200 answer would have had, by its code, type or status."""


class Refusal(msgspec.Struct, frozen=True):
    """An upstream's refusal: its HTTP status, headers and body."""

    status: int
    header: Header
    body: bytes


class Kind(Enum):
    """What litellm's classes say of a failure beyond its status."""

    CONTEXT = "context"
    CONTENT = "content"
    PARAMETER = "parameter"
    CREDENTIALS = "credentials"
    REQUEST = "request"
    OTHER = "other"


_BY_KIND: Mapping[Kind, Reason] = {
    Kind.CONTEXT: Reason.CONTEXT_LENGTH_EXCEEDED,
    Kind.CONTENT: Reason.CONTENT_FILTERED,
    Kind.PARAMETER: Reason.UNSUPPORTED_PARAMETER,
    Kind.REQUEST: Reason.INVALID_REQUEST,
}


class Failure(GatewayError):
    """Something that litellm raised; `Judge` replaces it by what truly happened."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(Reason.INTERNAL, text)
        self.kind = kind


class ErrorObject(GatewayError):
    """An error object inside a 200 answer, with the status that its code stands for."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(Reason.UPSTREAM_UNAVAILABLE, "The provider reported an error.")
        self.refusal = Refusal(status, _no_header, body)


class Witness(Protocol):
    """What an exchange knows of its failure."""

    @property
    def attempt(self) -> Attempt: ...
    @property
    def fault(self) -> GatewayError | None: ...
    @property
    def refusal(self) -> Refusal | None: ...
    @property
    def sent(self) -> bool: ...


class Judge:
    """Says what went wrong, for sure: the wire's own faults first, then what the upstream refused,
    then what litellm says of itself."""

    __slots__ = ("_clock", "_failures", "_redact")

    def __init__(self, redactor: Redactor, clock: Clock) -> None:
        self._redact = redactor
        self._clock = clock
        self._failures = Failures(redactor)

    def final(self, error: GatewayError, witness: Witness) -> GatewayError:
        """The error that the caller sees for `error`, which ended the exchange."""
        fault = witness.fault or error
        if isinstance(fault, ErrorObject):
            return self._refused(fault.refusal, witness.attempt, Kind.OTHER)
        if not isinstance(fault, Failure):
            return fault
        if witness.refusal is not None:
            return self._refused(witness.refusal, witness.attempt, fault.kind)
        if witness.sent:
            return UpstreamError(
                Reason.UPSTREAM_INVALID_RESPONSE, "The provider's answer could not be understood."
            )
        return self._unsent(fault)

    def _refused(self, refusal: Refusal, attempt: Attempt, kind: Kind) -> GatewayError:
        error = self._failures.of_response(
            attempt, refusal.status, refusal.header, refusal.body, self._clock.time()
        )
        if error.reason is Reason.INVALID_REQUEST and kind in (Kind.CONTEXT, Kind.CONTENT):
            error.reason = _BY_KIND[kind]
        return error

    def _unsent(self, failure: Failure) -> GatewayError:
        """The error for a request that litellm did not even send."""
        if failure.kind is Kind.CREDENTIALS:
            return UpstreamError(
                Reason.UPSTREAM_REFUSED_CREDENTIALS, "The provider's credentials are missing."
            )
        said = self._redact(failure.message)
        if (reason := _BY_KIND.get(failure.kind)) is not None:
            return CallerError(reason, f"The request cannot be made: {said}")
        return InternalError(f"litellm could not make the request: {said}")


def from_error_object(value: Mapping[str, object]) -> ErrorObject | None:
    """The error that one JSON value of a 200 answer carries, or None if it carries none."""
    error = value.get("error")
    if not error and value.get("type") != "error":
        return None
    found = error if isinstance(error, dict) else value
    codes = (found.get(key) for key in ("code", "status", "type"))
    status = next((status for code in codes if (status := _status_of(code))), 500)
    return ErrorObject(status, msgspec.json.encode(value))


def _status_of(code: object) -> int:
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    if isinstance(code, int):
        return code if 400 <= code <= 599 else 0
    return _STATUS_OF.get(code, 0) if isinstance(code, str) else 0


def _no_header(name: str) -> str:
    return ""
