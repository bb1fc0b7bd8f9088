"""Reads what a failed call tells its caller: status, ErrorInfo and the other details."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

KINDS = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.QuotaFailure,
    error_details_pb2.RetryInfo,
    error_details_pb2.ResourceInfo,
    error_details_pb2.PreconditionFailure,
)


class Failure:
    """A google.rpc.Status taken apart; `details` are by their names, such as `RetryInfo`."""

    def __init__(self, status: status_pb2.Status) -> None:
        self.code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        self.message: str = status.message
        self.details: dict[str, Message] = {}
        for packed in status.details:
            kind = next(kind for kind in KINDS if packed.Is(kind.DESCRIPTOR))
            detail = kind()
            packed.Unpack(detail)
            assert kind.__name__ not in self.details
            self.details[kind.__name__] = detail

    @property
    def reason(self) -> str:
        """The ErrorInfo's reason without its prefix; the domain is ours."""
        info = self.details["ErrorInfo"]
        assert info.domain == "interlingua"
        assert info.reason.startswith("ERROR_REASON_")
        return info.reason.removeprefix("ERROR_REASON_")

    @property
    def metadata(self) -> Mapping[str, str]:
        return dict(self.details["ErrorInfo"].metadata)

    @property
    def fields(self) -> list[str]:
        """The paths that the BadRequest names."""
        return [violation.field for violation in self.details["BadRequest"].field_violations]

    @property
    def retry_s(self) -> float | None:
        """Seconds of the RetryInfo, or None without one."""
        if "RetryInfo" not in self.details:
            return None
        delay = self.details["RetryInfo"].retry_delay
        return delay.seconds + delay.nanos / 1e9


def failure_of(error: grpc.aio.AioRpcError) -> Failure:
    """What `error` says; it must carry a google.rpc.Status that agrees with it."""
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()} {error.details()!r} carries no details"
    assert status.code == error.code().value[0]
    return Failure(status)


async def failure(call: object) -> Failure:
    """The failure of a unary or streaming call that must not succeed."""
    try:
        if isinstance(call, grpc.aio.UnaryStreamCall):
            while await call.read() is not grpc.aio.EOF:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return failure_of(error)
    raise AssertionError("the call succeeded")
