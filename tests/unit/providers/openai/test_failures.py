"""What failures of an upstream become, by status and machine-readable fields."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from interlingua_gateway.core.errors import CallerError, GatewayError, Reason, UpstreamError
from interlingua_gateway.providers.openai.failures import facts_of, field_of
from interlingua_gateway.providers.transport.replay import Replayed
from tests.support.manual_clock import ManualClock
from tests.support.openai import JSON, KEY, Bench, ask, attempt, whole


async def failure_of(
    status: int, body: object = b"", streaming: bool = True, **headers: str
) -> GatewayError:
    sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    response = whole(body, status, sent)
    with pytest.raises(GatewayError) as raised:
        await Bench(response).provider.open(attempt(ask(), streaming=streaming))
    assert response.closed
    return raised.value


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, CallerError, Reason.INVALID_REQUEST),
        (413, CallerError, Reason.INVALID_REQUEST),
        (422, CallerError, Reason.INVALID_REQUEST),
        (401, UpstreamError, Reason.UPSTREAM_REFUSED_CREDENTIALS),
        (403, UpstreamError, Reason.UPSTREAM_REFUSED_CREDENTIALS),
        (402, UpstreamError, Reason.UPSTREAM_RATE_LIMITED),
        (404, CallerError, Reason.MODEL_NOT_FOUND),
        (408, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (409, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (429, UpstreamError, Reason.UPSTREAM_RATE_LIMITED),
        (500, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (503, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (529, UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (302, UpstreamError, Reason.UPSTREAM_INVALID_RESPONSE),
        (204, UpstreamError, Reason.UPSTREAM_INVALID_RESPONSE),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":{"message":"m"}}', b'["x"]', b"7"])
@pytest.mark.parametrize("streaming", [True, False])
async def test_status(
    status: int, kind: type[GatewayError], reason: Reason, body: bytes, streaming: bool
) -> None:
    error = await failure_of(status, body, streaming)
    assert type(error) is kind
    assert error.reason is reason
    assert error.metadata["upstream_status"] == str(status)


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (400, {"code": "context_length_exceeded"}, Reason.CONTEXT_LENGTH_EXCEEDED),
        (400, {"type": "exceed_context_size_error", "code": 400}, Reason.CONTEXT_LENGTH_EXCEEDED),
        (500, {"type": "exceed_context_size_error"}, Reason.CONTEXT_LENGTH_EXCEEDED),
        (400, {"code": "content_filter"}, Reason.CONTENT_FILTERED),
        (400, {"code": "content_policy_violation"}, Reason.CONTENT_FILTERED),
        (400, {"code": "model_not_found"}, Reason.MODEL_NOT_FOUND),
        (403, {"code": "model_not_found"}, Reason.MODEL_NOT_FOUND),
        (404, {"code": "DeploymentNotFound"}, Reason.MODEL_NOT_FOUND),
        (429, {"code": "insufficient_quota"}, Reason.UPSTREAM_RATE_LIMITED),
        (400, {"code": "unsupported_parameter", "param": "top_p"}, Reason.UNSUPPORTED_PARAMETER),
        (400, {"message": "maximum context length, rate limit, model_not_found"},
         Reason.INVALID_REQUEST),
    ],
)  # fmt: skip
async def test_code(status: int, error: dict[str, object], reason: Reason) -> None:
    assert (await failure_of(status, {"error": error})).reason is reason


async def test_unknown_model_names_the_callers_alias() -> None:
    error = await failure_of(404, {"error": {"code": "model_not_found"}})
    assert error.resource is not None
    assert (error.resource.kind, error.resource.name) == ("model", "alias")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after_ms": "250", "retry_after": "1"}, 0.25),
        ({"retry_after": formatdate(ManualClock().time() + 60, usegmt=True)}, 60.0),
        ({"retry_after": formatdate(ManualClock().time() - 60, usegmt=True)}, 0.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after(status: int, headers: dict[str, str], seconds: float | None) -> None:
    assert (await failure_of(status, **headers)).retry_after_s == seconds


async def test_callers_error_shows_the_redacted_message_and_the_field() -> None:
    text = f"Invalid 'temperature' for key {KEY} at https://u:pw1234@host"
    body = {"error": {"message": text, "type": "invalid_request_error", "param": "temperature"}}
    error = await failure_of(400, body)
    assert "Invalid 'temperature'" in error.message
    (violation,) = error.violations
    assert violation.subject == "sampling.temperature"
    for shown in (error.message, violation.description, str(error.metadata)):
        assert KEY not in shown
        assert "pw1234" not in shown


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_text_of_the_upstream_is_not_shown_where_it_does_not_help(status: int) -> None:
    body = {"error": {"message": "org-secret is over its limit", "code": KEY}}
    error = await failure_of(status, body)
    assert "org-secret" not in f"{error.message}{error.metadata}{error.violations}"
    assert KEY not in f"{error.message}{error.metadata}"


async def test_body_that_breaks_off_leaves_the_status() -> None:
    response = Replayed(429, {**JSON, "retry-after": "3"}, (b'{"err',), broken=True)
    with pytest.raises(UpstreamError) as raised:
        await Bench(response).provider.open(attempt(ask()))
    assert (raised.value.reason, raised.value.retry_after_s) == (Reason.UPSTREAM_RATE_LIMITED, 3.0)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error":{"code":"c","message":"m"}}', "c", "m"),
        (b'{"error":"m"}', "", "m"),
        (b'{"object":"error","message":"m","code":40301}', "40301", "m"),
        (b'[{"error":{"code":400,"message":"m"}}]', "400", "m"),
        (b'{"detail":"m"}', "", ""),
        (b'{"error":{"message":{"detail":[]},"code":null}}', "", ""),
        (b"[]", "", ""),
        (b"\xff", "", ""),
    ],
)
def test_facts(body: bytes, code: str, message: str) -> None:
    facts = facts_of(body)
    assert (facts.code, facts.message) == (code, message)


@pytest.mark.parametrize(
    ("param", "field"),
    [
        ("messages[2].content", "messages"),
        ("messages.[0].content", "messages"),
        ("max_tokens", "sampling.max_output_tokens"),
        ("tools[0].function.parameters", "tools"),
        ("stop", "sampling.stop_sequences"),
        ("input", "inputs"),
        ("novel", ""),
        ("", ""),
    ],
)
def test_field_of_a_parameter(param: str, field: str) -> None:
    assert field_of(param) == field
