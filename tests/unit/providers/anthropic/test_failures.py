"""What failures of Anthropic's become, by status, types and codes."""

from __future__ import annotations

import pytest

from interlingua_gateway.core.errors import CallerError, GatewayError, Reason, UpstreamError
from tests.support.anthropic import Bench, attempt
from tests.support.openai import JSON, KEY, ask, whole


async def failure_of(
    status: int, error: object = None, streaming: bool = True, **headers: str
) -> GatewayError:
    sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    body = b"" if error is None else {"type": "error", "error": error, "request_id": "req_1"}
    response = whole(body, status, sent)
    with pytest.raises(GatewayError) as raised:
        await Bench(response).provider.open(attempt(ask(), streaming=streaming))
    assert response.closed
    return raised.value


@pytest.mark.parametrize(
    ("status", "word", "kind", "reason"),
    [
        (400, "invalid_request_error", CallerError, Reason.INVALID_REQUEST),
        (413, "request_too_large", CallerError, Reason.INVALID_REQUEST),
        (401, "authentication_error", UpstreamError, Reason.UPSTREAM_REFUSED_CREDENTIALS),
        (402, "billing_error", UpstreamError, Reason.UPSTREAM_RATE_LIMITED),
        (403, "permission_error", UpstreamError, Reason.UPSTREAM_REFUSED_CREDENTIALS),
        (404, "not_found_error", CallerError, Reason.MODEL_NOT_FOUND),
        (409, "conflict_error", UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (429, "rate_limit_error", UpstreamError, Reason.UPSTREAM_RATE_LIMITED),
        (500, "api_error", UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (504, "timeout_error", UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
        (529, "overloaded_error", UpstreamError, Reason.UPSTREAM_UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
async def test_status(
    status: int, word: str, kind: type[GatewayError], reason: Reason, streaming: bool
) -> None:
    for error in (None, "x", {"type": word, "message": "m"}, {"type": word, "details": []}):
        failure = await failure_of(status, error, streaming)
        assert type(failure) is kind
        assert failure.reason is reason
        assert failure.metadata["upstream_status"] == str(status)
    failure = await failure_of(status, {"type": word}, streaming)
    assert failure.metadata["upstream_code"] == word


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 215000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000",
    ],
)
async def test_too_long_for_the_context_window(message: str) -> None:
    error = await failure_of(400, {"type": "invalid_request_error", "message": message})
    assert isinstance(error, CallerError)
    assert error.reason is Reason.CONTEXT_LENGTH_EXCEEDED
    (violation,) = error.violations
    assert violation.subject == "messages"
    assert message in violation.description


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "messages.0: say no more than that the prompt is too long"),
        (500, "prompt is too long"),
    ],
)
async def test_other_words_decide_nothing(status: int, message: str) -> None:
    error = await failure_of(status, {"type": "invalid_request_error", "message": message})
    assert error.reason is not Reason.CONTEXT_LENGTH_EXCEEDED


async def test_an_account_that_is_used_up_is_not_the_callers_fault() -> None:
    details = {"error_code": "enforced_spend_limit_reached"}
    error = await failure_of(400, {"type": "invalid_request_error", "details": details})
    assert type(error) is UpstreamError
    assert error.reason is Reason.UPSTREAM_RATE_LIMITED


async def test_retry_after() -> None:
    assert (await failure_of(429, {"type": "rate_limit_error"}, retry_after="7")).retry_after_s == 7
    assert (await failure_of(529, {"type": "overloaded_error"})).retry_after_s is None


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_no_secret_shows(status: int) -> None:
    message = f"prompt is too long for x-api-key {KEY}"
    error = await failure_of(status, {"type": KEY, "message": message})
    assert KEY not in f"{error.message}{error.metadata}{error.violations}"
