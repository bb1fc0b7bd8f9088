"""What can go wrong with a call, as exceptions decoded from gRPC statuses and their details.

InterlinguaError
|-- InvalidRequestError          the request is at fault; `violations` name the fields
|-- AuthenticationError          no credentials, or wrong ones
|-- PermissionDeniedError        these credentials do not allow it
|-- NotFoundError                no such model or resource; `resource` names it
|-- RateLimitedError             a limit of yours, a full queue or a busy gateway
|-- BudgetExceededError          the budget is spent; waiting does not help
|-- GuardrailError               a guardrail or content filter refused it
|-- UnavailableError             the gateway or its providers cannot serve the call now
|-- DeadlineExceededError        the time given to the call is spent
|-- StreamBrokenError            a stream ended before its answer was whole
|-- CallCancelledError           you cancelled the call or closed the stream
|-- NotImplementedByGatewayError the gateway does not have the method
`-- InternalGatewayError         a fault of the gateway
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

_CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_BUDGET_EXCEEDED = "ERROR_REASON_BUDGET_EXCEEDED"
_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that stood in the way of a call.

    `subject` is the path of a field (`messages[0].role`), the subject of a quota or that of a
    precondition; `description` says what is wrong with it.
    """

    subject: str
    description: str


@dataclass(frozen=True, slots=True)
class Resource:
    """The resource that an error is about, such as type `model` and name `gpt`."""

    type: str
    name: str


class InterlinguaError(Exception):
    """A call that failed; catch this to catch every failure that the gateway or gRPC reports.

    `code` is the gRPC status code, `reason` the name of a value of the contract's ErrorReason
    (prefix included; empty if the failure did not come from the gateway), `retry_after_s` the
    delay in seconds that the gateway asks for, None if it names none. `metadata` is that of the
    google.rpc.ErrorInfo, `details` the whole google.rpc.Status if there was one.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        details: status_pb2.Status | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details
        self.reason = ""
        self.metadata: Mapping[str, str] = {}
        self.retry_after_s: float | None = None
        self.violations: tuple[Violation, ...] = ()
        self.resource: Resource | None = None
        if details is not None:
            self._read(details)

    @property
    def operation_id(self) -> str:
        """The gateway's name for the call; empty if the call did not reach it."""
        return self.metadata.get("operation_id", "")

    def __str__(self) -> str:
        head = f"{self.reason or self.code.name}: {self.message}"
        blamed = [f"{v.subject}: {v.description}" for v in self.violations]
        return "; ".join([head, *(line for line in blamed if line not in self.message)])

    def _read(self, status: status_pb2.Status) -> None:
        if (info := _detail(status, error_details_pb2.ErrorInfo())) is not None:
            self.reason, self.metadata = info.reason, dict(info.metadata)
        if (retry := _detail(status, error_details_pb2.RetryInfo())) is not None:
            self.retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
        if (resource := _detail(status, error_details_pb2.ResourceInfo())) is not None:
            self.resource = Resource(resource.resource_type, resource.resource_name)
        self.violations = tuple(_violations(status))


class InvalidRequestError(InterlinguaError):
    """The request contradicts the contract or the model cannot honour it; see `violations`."""


class AuthenticationError(InterlinguaError):
    """No credentials were sent, or they are wrong, expired or revoked."""


class PermissionDeniedError(InterlinguaError):
    """The credentials do not allow the call."""


class NotFoundError(InterlinguaError):
    """There is no such model or other resource; see `resource`."""


class RateLimitedError(InterlinguaError):
    """A rate limit of yours, a full queue or a busy gateway; `retry_after_s` says how long."""


class BudgetExceededError(InterlinguaError):
    """The budget is spent; the same call fails again until the budget changes."""


class GuardrailError(InterlinguaError):
    """A guardrail of the gateway or the provider's content filter refused the call."""


class UnavailableError(InterlinguaError):
    """The gateway could not be reached, or none of the model's providers could answer."""


class DeadlineExceededError(InterlinguaError):
    """The time given to the call is spent; `metadata["phase"]` may say on what."""


class StreamBrokenError(InterlinguaError):
    """A stream ended before its answer was whole; what came before is valid but not complete."""


class CallCancelledError(InterlinguaError):
    """The call was cancelled, or its stream closed, before it ended."""


class NotImplementedByGatewayError(InterlinguaError):
    """This gateway does not have the method, or is not configured for it."""


class InternalGatewayError(InterlinguaError):
    """A fault of the gateway; its log has more under `operation_id`."""


_KINDS: Mapping[grpc.StatusCode, type[InterlinguaError]] = {
    grpc.StatusCode.CANCELLED: CallCancelledError,
    grpc.StatusCode.UNKNOWN: InternalGatewayError,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequestError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
    grpc.StatusCode.FAILED_PRECONDITION: GuardrailError,
    grpc.StatusCode.ABORTED: StreamBrokenError,
    grpc.StatusCode.UNIMPLEMENTED: NotImplementedByGatewayError,
    grpc.StatusCode.INTERNAL: InternalGatewayError,
    grpc.StatusCode.DATA_LOSS: InternalGatewayError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
}


def from_rpc_error(error: grpc.RpcError) -> InterlinguaError:
    """The exception for what grpc or grpc.aio raised."""
    metadata = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    for key, value in metadata:
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            return _error(error.code(), error.details() or "", _parse(value))
    return _error(error.code(), error.details() or "", None)


def from_status(status: status_pb2.Status) -> InterlinguaError:
    """The exception for a status that came inside a message, such as that of a batch's item."""
    return _error(_CODES.get(status.code, grpc.StatusCode.UNKNOWN), status.message, status)


def cut_off(error: InterlinguaError) -> InterlinguaError:
    """What `error` means once a stream has begun.

    A connection that is lost then must not look like a call that can simply be sent again: without
    an ErrorInfo of the gateway it becomes a StreamBrokenError that keeps the code.
    """
    if error.reason or isinstance(error, CallCancelledError | DeadlineExceededError):
        return error
    return StreamBrokenError(error.message, code=error.code, details=error.details)


def _error(
    code: grpc.StatusCode, message: str, details: status_pb2.Status | None
) -> InterlinguaError:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _exhausted(message, details)
    return _KINDS.get(code, InterlinguaError)(message, code=code, details=details)


def _exhausted(message: str, details: status_pb2.Status | None) -> InterlinguaError:
    """A limit of the gateway; without an ErrorInfo one of gRPC itself, such as a message's size."""
    plain = InterlinguaError(message, code=grpc.StatusCode.RESOURCE_EXHAUSTED, details=details)
    if not plain.reason:
        return plain
    kind = BudgetExceededError if plain.reason == _BUDGET_EXCEEDED else RateLimitedError
    return kind(message, code=plain.code, details=details)


def _parse(value: bytes) -> status_pb2.Status | None:
    try:
        return status_pb2.Status.FromString(value)
    except DecodeError:
        return None


def _violations(status: status_pb2.Status) -> Iterable[Violation]:
    if (request := _detail(status, error_details_pb2.BadRequest())) is not None:
        yield from (Violation(v.field, v.description) for v in request.field_violations)
    if (quota := _detail(status, error_details_pb2.QuotaFailure())) is not None:
        yield from (Violation(v.subject, v.description) for v in quota.violations)
    if (failure := _detail(status, error_details_pb2.PreconditionFailure())) is not None:
        yield from (Violation(v.subject, v.description) for v in failure.violations)


def _detail(status: status_pb2.Status, into: _M) -> _M | None:
    """The first detail of the type of `into`, parsed into it; None if there is none."""
    for packed in status.details:
        if packed.TypeName() == into.DESCRIPTOR.full_name:
            try:
                packed.Unpack(into)
            except DecodeError:
                return None
            return into
    return None
