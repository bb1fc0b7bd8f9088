"""THE error table: every failure of the gateway as a gRPC status with google.rpc details."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from interlingua_gateway.core.errors import GatewayError, Reason

DOMAIN: Final = "interlingua"
DEFAULT_RETRY_S: Final = 1.0
SHORTEST_RETRY_S: Final = 0.001
TEXT_LIMIT_BYTES: Final = 500

Code = grpc.StatusCode

CODES: Final[Mapping[Reason, grpc.StatusCode]] = {
    Reason.INVALID_REQUEST: Code.INVALID_ARGUMENT,
    Reason.UNSUPPORTED_PARAMETER: Code.INVALID_ARGUMENT,
    Reason.CONTEXT_LENGTH_EXCEEDED: Code.INVALID_ARGUMENT,
    Reason.CREDENTIALS_MISSING: Code.UNAUTHENTICATED,
    Reason.CREDENTIALS_INVALID: Code.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: Code.PERMISSION_DENIED,
    Reason.MODEL_NOT_FOUND: Code.NOT_FOUND,
    Reason.RESOURCE_NOT_FOUND: Code.NOT_FOUND,
    Reason.RATE_LIMITED: Code.RESOURCE_EXHAUSTED,
    Reason.QUEUE_FULL: Code.RESOURCE_EXHAUSTED,
    Reason.OVERLOADED: Code.RESOURCE_EXHAUSTED,
    Reason.SHUTTING_DOWN: Code.UNAVAILABLE,
    Reason.BUDGET_EXCEEDED: Code.RESOURCE_EXHAUSTED,
    Reason.GUARDRAIL_BLOCKED: Code.FAILED_PRECONDITION,
    Reason.CONTENT_FILTERED: Code.FAILED_PRECONDITION,
    Reason.STORE_UNAVAILABLE: Code.UNAVAILABLE,
    Reason.UPSTREAM_RATE_LIMITED: Code.UNAVAILABLE,
    Reason.UPSTREAM_UNAVAILABLE: Code.UNAVAILABLE,
    Reason.UPSTREAM_TIMEOUT: Code.UNAVAILABLE,
    Reason.UPSTREAM_INVALID_RESPONSE: Code.UNAVAILABLE,
    Reason.UPSTREAM_REFUSED_CREDENTIALS: Code.INTERNAL,
    Reason.CIRCUIT_OPEN: Code.UNAVAILABLE,
    Reason.ALL_TARGETS_FAILED: Code.UNAVAILABLE,
    Reason.STREAM_BROKEN: Code.ABORTED,
    Reason.DEADLINE_EXCEEDED: Code.DEADLINE_EXCEEDED,
    Reason.CANCELLED: Code.CANCELLED,
    Reason.NOT_IMPLEMENTED: Code.UNIMPLEMENTED,
    Reason.INTERNAL: Code.INTERNAL,
}

_QUOTA: Final = frozenset(
    {Reason.RATE_LIMITED, Reason.QUEUE_FULL, Reason.OVERLOADED, Reason.BUDGET_EXCEEDED}
)
_RETRY: Final = frozenset(
    reason
    for reason, code in CODES.items()
    if code is Code.UNAVAILABLE or (reason in _QUOTA and reason is not Reason.BUDGET_EXCEEDED)
)

DETAILS_KEY: Final = "grpc-status-details-bin"
PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"

_ALREADY_TRIED: Final = frozenset(
    reason
    for reason, code in CODES.items()
    if code is Code.UNAVAILABLE and reason is not Reason.SHUTTING_DOWN
)
"""The gateway has tried what there was; a client library that retried would multiply the load."""


def reason_name(reason: Reason | str) -> str:
    """The reason's name in the contract's ErrorReason; empty stays empty."""
    return f"ERROR_REASON_{reason}" if reason else ""


def to_status(error: GatewayError, operation_id: str) -> status_pb2.Status:
    """`error` as a google.rpc.Status with all its details.

    An INTERNAL status carries nothing but its reason and the operation id.
    """
    code = CODES[error.reason]
    if code is Code.INTERNAL:
        info = _info(error.reason, {"operation_id": operation_id})
        text = f"The gateway could not serve the call; its log has the cause under {operation_id}."
        return _status(code, text, [info])
    found: list[Message] = [_info(error.reason, {**error.metadata, "operation_id": operation_id})]
    found.extend(_details(error, code))
    return _status(code, _cut(error.message), found)


def trailers(reason: Reason, status: status_pb2.Status) -> tuple[tuple[str, str | bytes], ...]:
    """The metadata that carries `status`, and tells client libraries when not to retry.

    Source: https://github.com/grpc/proposal/blob/master/A6-client-retries.md (a negative pushback
    means that the call is not to be sent again).
    """
    found: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if reason in _ALREADY_TRIED:
        found.append((PUSHBACK_KEY, "-1"))
    return tuple(found)


def _details(error: GatewayError, code: grpc.StatusCode) -> list[Message]:
    found: list[Message] = []
    if code in _VIOLATIONS:
        found.append(_VIOLATIONS[code](error))
    if code is Code.NOT_FOUND and error.resource is not None:
        found.append(
            details.ResourceInfo(
                resource_type=error.resource.kind,
                resource_name=error.resource.name,
                description=_cut(error.message),
            )
        )
    if error.reason in _RETRY:
        delay = DEFAULT_RETRY_S if error.retry_after_s is None else error.retry_after_s
        found.append(details.RetryInfo(retry_delay=duration(max(SHORTEST_RETRY_S, delay))))
    return found


def _bad_request(error: GatewayError) -> Message:
    violations = [
        details.BadRequest.FieldViolation(field=v.subject, description=_cut(v.description))
        for v in error.violations
    ]
    return details.BadRequest(field_violations=violations)


def _quota_failure(error: GatewayError) -> Message:
    violations = [
        details.QuotaFailure.Violation(subject=v.subject, description=_cut(v.description))
        for v in error.violations
    ]
    return details.QuotaFailure(violations=violations)


def _precondition_failure(error: GatewayError) -> Message:
    violations = [
        details.PreconditionFailure.Violation(
            type=str(error.reason), subject=v.subject, description=_cut(v.description)
        )
        for v in error.violations
    ]
    return details.PreconditionFailure(violations=violations)


_VIOLATIONS: Final[Mapping[grpc.StatusCode, Callable[[GatewayError], Message]]] = {
    Code.INVALID_ARGUMENT: _bad_request,
    Code.RESOURCE_EXHAUSTED: _quota_failure,
    Code.FAILED_PRECONDITION: _precondition_failure,
}


def _cut(text: str) -> str:
    """Statuses travel in headers, whose size is bounded (8 KiB by default)."""
    data = text.encode()
    if len(data) <= TEXT_LIMIT_BYTES:
        return text
    return data[: TEXT_LIMIT_BYTES - 3].decode(errors="ignore") + "…"


def duration(seconds: float) -> Duration:
    """`seconds` as a protobuf Duration, to the nanosecond."""
    pb = Duration()
    fill_duration(pb, seconds)
    return pb


def fill_duration(pb: Duration, seconds: float) -> None:
    """`seconds` in `pb`, to the nanosecond."""
    pb.seconds, pb.nanos = divmod(round(seconds * 1e9), 1_000_000_000)


def _info(reason: Reason, metadata: Mapping[str, str]) -> details.ErrorInfo:
    short = {key: _cut(value) for key, value in metadata.items()}
    return details.ErrorInfo(reason=reason_name(reason), domain=DOMAIN, metadata=short)


def _status(code: grpc.StatusCode, text: str, found: list[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in found:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status
