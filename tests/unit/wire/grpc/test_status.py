"""THE error table, row by row."""

from __future__ import annotations

import grpc
import pytest

from interlingua.v1 import error_pb2
from interlingua_gateway.core import errors
from interlingua_gateway.core.errors import (
    CallerError,
    GatewayError,
    InternalError,
    PolicyError,
    Reason,
    Resource,
    UpstreamError,
    Violation,
)
from interlingua_gateway.wire.grpc.status import CODES, duration, to_status
from tests.support.failures import Failure

Code = grpc.StatusCode
NOTHING: frozenset[str] = frozenset()
BAD, QUOTA, STATE = {"BadRequest"}, {"QuotaFailure"}, {"PreconditionFailure"}
FOUND, RETRY = {"ResourceInfo"}, {"RetryInfo"}

# Reason, the class that raises it, code, details beside ErrorInfo. The contract's own table.
TABLE = [
    (Reason.INVALID_REQUEST, CallerError, Code.INVALID_ARGUMENT, BAD),
    (Reason.UNSUPPORTED_PARAMETER, CallerError, Code.INVALID_ARGUMENT, BAD),
    (Reason.CONTEXT_LENGTH_EXCEEDED, CallerError, Code.INVALID_ARGUMENT, BAD),
    (Reason.CREDENTIALS_MISSING, CallerError, Code.UNAUTHENTICATED, NOTHING),
    (Reason.CREDENTIALS_INVALID, CallerError, Code.UNAUTHENTICATED, NOTHING),
    (Reason.PERMISSION_DENIED, CallerError, Code.PERMISSION_DENIED, NOTHING),
    (Reason.MODEL_NOT_FOUND, CallerError, Code.NOT_FOUND, FOUND),
    (Reason.RESOURCE_NOT_FOUND, CallerError, Code.NOT_FOUND, FOUND),
    (Reason.RATE_LIMITED, PolicyError, Code.RESOURCE_EXHAUSTED, QUOTA | RETRY),
    (Reason.QUEUE_FULL, PolicyError, Code.RESOURCE_EXHAUSTED, QUOTA | RETRY),
    (Reason.OVERLOADED, PolicyError, Code.RESOURCE_EXHAUSTED, QUOTA | RETRY),
    (Reason.SHUTTING_DOWN, PolicyError, Code.UNAVAILABLE, RETRY),
    (Reason.BUDGET_EXCEEDED, PolicyError, Code.RESOURCE_EXHAUSTED, QUOTA),
    (Reason.GUARDRAIL_BLOCKED, PolicyError, Code.FAILED_PRECONDITION, STATE),
    (Reason.CONTENT_FILTERED, UpstreamError, Code.FAILED_PRECONDITION, STATE),
    (Reason.UPSTREAM_RATE_LIMITED, UpstreamError, Code.UNAVAILABLE, RETRY),
    (Reason.UPSTREAM_UNAVAILABLE, UpstreamError, Code.UNAVAILABLE, RETRY),
    (Reason.UPSTREAM_TIMEOUT, UpstreamError, Code.UNAVAILABLE, RETRY),
    (Reason.UPSTREAM_INVALID_RESPONSE, UpstreamError, Code.UNAVAILABLE, RETRY),
    (Reason.UPSTREAM_REFUSED_CREDENTIALS, UpstreamError, Code.INTERNAL, NOTHING),
    (Reason.CIRCUIT_OPEN, UpstreamError, Code.UNAVAILABLE, RETRY),
    (Reason.ALL_TARGETS_FAILED, UpstreamError, Code.UNAVAILABLE, RETRY),
    (Reason.STREAM_BROKEN, UpstreamError, Code.ABORTED, NOTHING),
    (Reason.DEADLINE_EXCEEDED, CallerError, Code.DEADLINE_EXCEEDED, NOTHING),
    (Reason.CANCELLED, CallerError, Code.CANCELLED, NOTHING),
    (Reason.STORE_UNAVAILABLE, PolicyError, Code.UNAVAILABLE, {"RetryInfo"}),
    (Reason.NOT_IMPLEMENTED, CallerError, Code.UNIMPLEMENTED, NOTHING),
    (Reason.INTERNAL, InternalError, Code.INTERNAL, NOTHING),
]
NAMES = [str(row[0]) for row in TABLE]


def make(kind: type[GatewayError], reason: Reason, **facts: object) -> GatewayError:
    """An error with all the facts that its class takes."""
    if kind is InternalError:
        error = InternalError("secret cause", reason)
        error.violations = facts.get("violations", ())
        error.metadata.update(facts.get("metadata", {}))
        return error
    return kind(reason, "It failed.", **facts)


@pytest.mark.parametrize(("reason", "kind", "code", "kinds"), TABLE, ids=NAMES)
@pytest.mark.parametrize("delay_s", [None, 7.25])
def test_each_reason_has_its_code_and_details(reason, kind, code, kinds, delay_s):
    error = make(
        kind,
        reason,
        retry_after_s=delay_s,
        violations=(Violation("messages[0]", "is wrong"),),
        resource=Resource("model", "x"),
        metadata={"deployment": "d"},
    )
    failed = Failure(to_status(error, "op_1"))
    assert failed.code is code
    assert failed.reason == reason
    assert set(failed.details) == {"ErrorInfo", *kinds}
    if "RetryInfo" in kinds:
        assert failed.retry_s == (1.0 if delay_s is None else delay_s)


@pytest.mark.parametrize(("reason", "kind", "code", "kinds"), TABLE, ids=NAMES)
def test_the_facts_of_an_error_are_told_unless_it_is_internal(reason, kind, code, kinds):
    facts = {"violations": (Violation("subject", "is wrong"),), "metadata": {"deployment": "d"}}
    status = to_status(make(kind, reason, **facts), "op_1")
    failed = Failure(status)
    if code is Code.INTERNAL:
        assert failed.metadata == {"operation_id": "op_1"}
        assert "op_1" in failed.message
        for hidden in (b"It failed", b"secret cause", b"subject", b"deployment"):
            assert hidden not in status.SerializeToString()
        return
    assert failed.message == "It failed."
    assert failed.metadata == {"operation_id": "op_1", "deployment": "d"}
    if kinds == BAD:
        assert failed.fields == ["subject"]
        assert failed.details["BadRequest"].field_violations[0].description == "is wrong"
    if "QuotaFailure" in kinds:
        assert failed.details["QuotaFailure"].violations[0].subject == "subject"
    if kinds == STATE:
        violation = failed.details["PreconditionFailure"].violations[0]
        assert (violation.type, violation.subject) == (reason, "subject")


def test_the_table_has_every_reason_once_and_every_class_of_errors():
    reasons = [row[0] for row in TABLE]
    assert sorted(reasons) == sorted(Reason)
    assert set(CODES) == set(Reason)
    # Classes elsewhere are a room's own: they are replaced before they leave it.
    known = {kind for kind in descendants(GatewayError) if kind.__module__ == errors.__name__}
    assert {row[1] for row in TABLE} == known


def test_reasons_and_the_contract_are_one_to_one():
    contract = set(error_pb2.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}
    assert contract == {f"ERROR_REASON_{reason.name}" for reason in Reason}
    assert all(reason.name == reason.value for reason in Reason)


def test_codes_that_grpc_or_a_client_library_makes_up_are_never_sent():
    assert not set(CODES.values()) & {Code.OK, Code.UNKNOWN, Code.DATA_LOSS}


def test_a_status_fits_into_headers_whatever_its_texts():
    long = "\U0001f600" * 5000
    error = CallerError(
        Reason.INVALID_REQUEST,
        long,
        violations=(Violation("f", long),),
        metadata={"attempts": long},
    )
    status = to_status(error, "op_1")
    percent_encoded = 3 * len(status.message.encode())
    base64_encoded = len(status.SerializeToString()) * 4 // 3
    assert percent_encoded + base64_encoded < 6000
    assert status.message.endswith("\U0001f600…")


def test_an_error_without_a_named_resource_has_no_resource():
    failed = Failure(to_status(CallerError(Reason.RESOURCE_NOT_FOUND, "Gone."), "op_1"))
    assert set(failed.details) == {"ErrorInfo"}


def test_a_delay_is_never_nothing_and_exact_to_the_nanosecond():
    error = UpstreamError(Reason.UPSTREAM_RATE_LIMITED, "Slow.", retry_after_s=-3)
    assert Failure(to_status(error, "op_1")).retry_s == 0.001
    assert (duration(1.5).seconds, duration(1.5).nanos) == (1, 500_000_000)
    assert (duration(0.9999999999).seconds, duration(0.9999999999).nanos) == (1, 0)


def descendants(kind: type) -> list[type]:
    return [k for child in kind.__subclasses__() for k in (child, *descendants(child))]
