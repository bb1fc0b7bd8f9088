"""Every reason of the contract becomes the exception that its code stands for."""

import pickle

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from interlingua import errors
from interlingua.v1.error_pb2 import ErrorReason
from tests.clients.python.scripted import info, status

KINDS = {
    ("INVALID_ARGUMENT", errors.InvalidRequestError): [
        "INVALID_REQUEST",
        "UNSUPPORTED_PARAMETER",
        "CONTEXT_LENGTH_EXCEEDED",
    ],
    ("UNAUTHENTICATED", errors.AuthenticationError): [
        "CREDENTIALS_MISSING",
        "CREDENTIALS_INVALID",
    ],
    ("PERMISSION_DENIED", errors.PermissionDeniedError): ["PERMISSION_DENIED"],
    ("NOT_FOUND", errors.NotFoundError): ["MODEL_NOT_FOUND", "RESOURCE_NOT_FOUND"],
    ("RESOURCE_EXHAUSTED", errors.RateLimitedError): ["RATE_LIMITED", "QUEUE_FULL", "OVERLOADED"],
    ("RESOURCE_EXHAUSTED", errors.BudgetExceededError): ["BUDGET_EXCEEDED"],
    ("FAILED_PRECONDITION", errors.GuardrailError): ["GUARDRAIL_BLOCKED", "CONTENT_FILTERED"],
    ("UNAVAILABLE", errors.UnavailableError): [
        "SHUTTING_DOWN",
        "UPSTREAM_RATE_LIMITED",
        "UPSTREAM_UNAVAILABLE",
        "UPSTREAM_TIMEOUT",
        "UPSTREAM_INVALID_RESPONSE",
        "CIRCUIT_OPEN",
        "ALL_TARGETS_FAILED",
        "STORE_UNAVAILABLE",
    ],
    ("ABORTED", errors.StreamBrokenError): ["STREAM_BROKEN"],
    ("DEADLINE_EXCEEDED", errors.DeadlineExceededError): ["DEADLINE_EXCEEDED"],
    ("CANCELLED", errors.CallCancelledError): ["CANCELLED"],
    ("UNIMPLEMENTED", errors.NotImplementedByGatewayError): ["NOT_IMPLEMENTED"],
    ("INTERNAL", errors.InternalGatewayError): ["UPSTREAM_REFUSED_CREDENTIALS", "INTERNAL"],
}
ROWS = [(code, kind, reason) for (code, kind), reasons in KINDS.items() for reason in reasons]


def test_the_table_knows_every_reason():
    known = {f"ERROR_REASON_{reason}" for _, _, reason in ROWS}
    assert known == set(ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}


@pytest.mark.parametrize(("code", "kind", "reason"), ROWS)
def test_reason(code, kind, reason):
    error = errors.from_status(status(code, "text", info(reason, operation_id="01J")))
    assert type(error) is kind
    assert error.code is grpc.StatusCode[code]
    assert error.reason == f"ERROR_REASON_{reason}"
    assert error.operation_id == "01J"


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.value[0]])
def test_every_code_without_details(code):
    error = errors.from_status(status_pb2.Status(code=code.value[0], message="text"))
    assert error.code is code
    assert str(error) == f"{code.name}: text"


def test_a_limit_of_grpc_itself_is_no_rate_limit():
    error = errors.from_status(status("RESOURCE_EXHAUSTED", "message too large"))
    assert type(error) is errors.InterlinguaError


def test_a_code_that_does_not_exist():
    error = errors.from_status(status_pb2.Status(code=99, message="text"))
    assert error.code is grpc.StatusCode.UNKNOWN


def test_violations_of_every_kind():
    quota = error_details_pb2.QuotaFailure()
    quota.violations.add(subject="team-a", description="spent")
    failure = error_details_pb2.PreconditionFailure()
    failure.violations.add(type="guardrail", subject="secrets", description="found")
    error = errors.from_status(status("RESOURCE_EXHAUSTED", "no", quota, failure))
    assert error.violations == (
        errors.Violation("team-a", "spent"),
        errors.Violation("secrets", "found"),
    )


def test_details_that_are_no_details():
    broken = status("INTERNAL", "no")
    broken.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")
    assert errors.from_status(broken).reason == ""


def test_errors_can_be_pickled():
    error = errors.from_status(status("NOT_FOUND", "no", info("MODEL_NOT_FOUND", a="b")))
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is errors.NotFoundError
    assert str(copy) == str(error)
    assert copy.code is grpc.StatusCode.NOT_FOUND
    assert copy.metadata == {"a": "b"}


def test_cut_off():
    lost = errors.from_status(status("UNAVAILABLE", "reset"))
    broken = errors.cut_off(lost)
    assert type(broken) is errors.StreamBrokenError
    assert broken.code is grpc.StatusCode.UNAVAILABLE
    for code, reason in [
        ("CANCELLED", None),
        ("DEADLINE_EXCEEDED", None),
        ("INTERNAL", "INTERNAL"),
    ]:
        details = [info(reason)] if reason else []
        error = errors.from_status(status(code, "text", *details))
        assert errors.cut_off(error) is error
