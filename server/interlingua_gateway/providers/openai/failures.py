"""What an upstream's failure means, by its status and its machine-readable fields."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import (
    CallerError,
    GatewayError,
    Reason,
    Resource,
    UpstreamError,
    Violation,
)
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.dialect import Header
from interlingua_gateway.providers.openai.generate import SAMPLING
from interlingua_gateway.providers.retry_after import retry_after_s

_CONTEXT = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_FILTERED = frozenset({"content_filter", "content_policy_violation", "moderation_blocked"})
_UNSUPPORTED = frozenset({"unsupported_parameter", "unsupported_value"})
_UNKNOWN_MODEL = frozenset({"model_not_found", "DeploymentNotFound"})
_STATUS_OF = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "BadRequestError": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "overloaded_error": 529,
}
"""The status that a failure inside a 200 response would have had, by its code or type."""

_FIELDS: Mapping[str, str] = {
    **{name: path for path, name in SAMPLING.items()},
    "seed": "sampling.seed",
    "random_seed": "sampling.seed",
    "max_tokens": "sampling.max_output_tokens",
    "max_completion_tokens": "sampling.max_output_tokens",
    "stop": "sampling.stop_sequences",
    "n": "sampling.candidate_count",
    "logit_bias": "sampling.logit_bias",
    "logprobs": "sampling.logprobs",
    "top_logprobs": "sampling.top_logprobs",
    "messages": "messages",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_tool_calls",
    "response_format": "response_format",
    "reasoning_effort": "reasoning.effort",
    "modalities": "modalities",
    "audio": "audio_output",
    "user": "user",
    "input": "inputs",
    "dimensions": "dimensions",
}
"""The caller's field for each parameter of the API."""


class Facts(msgspec.Struct, frozen=True):
    """The machine-readable fields of an error body, and its prose."""

    code: str = ""
    type: str = ""
    param: str = ""
    message: str = ""

    @property
    def words(self) -> frozenset[str]:
        """Code and type, whichever there are."""
        return frozenset({self.code, self.type})


def facts_of(body: bytes) -> Facts:
    """The facts in an error body: `{"error": {...}}`, `{"error": "..."}`, the object itself, or a
    list of such. What is no such body has none."""
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        return Facts()
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict) and value.get("error"):
        value = value["error"]
    if isinstance(value, str):
        return Facts(message=value)
    if not isinstance(value, dict):
        return Facts()
    return Facts(*(_word(value.get(key)) for key in ("code", "type", "param", "message")))


def _word(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""


class Failures:
    """Makes the gateway's error of an upstream's."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def of_response(
        self, attempt: Attempt | None, status: int, header: Header, body: bytes, now: float
    ) -> GatewayError:
        """What a response with another status than 200 means; `now` is in Unix seconds."""
        metadata = {"upstream_status": str(status)}
        after_s = retry_after_s(header, now)
        return self._error(attempt, status, facts_of(body), after_s, metadata)

    def of_answer(self, attempt: Attempt | None, body: bytes) -> GatewayError:
        """What an error body means that came where an answer was due."""
        facts = facts_of(body)
        if facts.code.isdigit() and 400 <= int(facts.code) <= 599:
            status = int(facts.code)
        else:
            status = next((_STATUS_OF[word] for word in facts.words if word in _STATUS_OF), 500)
        return self._error(attempt, status, facts, None, {})

    def _error(
        self,
        attempt: Attempt | None,
        status: int,
        facts: Facts,
        after_s: float | None,
        metadata: dict[str, str],
    ) -> GatewayError:
        code = facts.code or facts.type
        if code:
            metadata["upstream_code"] = self._redactor(code, 64)
        if facts.words & _UNKNOWN_MODEL or status == 404:
            return _unknown_model(attempt, metadata)
        if status in (400, 413, 422) or facts.words & (_CONTEXT | _FILTERED):
            return self._callers(facts, metadata)
        reason, text = _upstreams(status)
        return UpstreamError(reason, f"{text}.", retry_after_s=after_s, metadata=metadata)

    def _callers(self, facts: Facts, metadata: dict[str, str]) -> CallerError:
        """The request is at fault; the upstream's own words say how, without secrets."""
        said = self._redactor(facts.message)
        text = f"The provider refused the request{f': {said}' if said else '.'}"
        if facts.words & _CONTEXT:
            reason, path = Reason.CONTEXT_LENGTH_EXCEEDED, "messages"
        elif facts.words & _FILTERED:
            text = "The provider's content filter refused the request."
            found = (Violation("messages", text),)
            return CallerError(Reason.CONTENT_FILTERED, text, violations=found, metadata=metadata)
        else:
            unsupported = facts.code in _UNSUPPORTED
            reason = Reason.UNSUPPORTED_PARAMETER if unsupported else Reason.INVALID_REQUEST
            path = field_of(facts.param)
        violations = (Violation(path, said or text),) if path else ()
        return CallerError(reason, text, violations=violations, metadata=metadata)


def field_of(param: str) -> str:
    """The caller's field for an upstream's `param`, such as `messages[1].content`; else empty."""
    name = param.replace("[", ".").partition(".")[0]
    return _FIELDS.get(name, "")


def _unknown_model(attempt: Attempt | None, metadata: dict[str, str]) -> GatewayError:
    if attempt is None:
        return UpstreamError(
            Reason.UPSTREAM_INVALID_RESPONSE,
            "The provider has no list of models.",
            metadata=metadata,
        )
    name = attempt.request.model
    return CallerError(
        Reason.MODEL_NOT_FOUND,
        f"Provider {attempt.target.provider} does not know the model behind {name!r}.",
        resource=Resource("model", name),
        metadata=metadata,
    )


def _upstreams(status: int) -> tuple[Reason, str]:
    """Reason and text where the provider, or the gateway's account with it, is at fault."""
    if status in (401, 403):
        return Reason.UPSTREAM_REFUSED_CREDENTIALS, "The provider refused the gateway's credentials"
    if status in (402, 429):
        return Reason.UPSTREAM_RATE_LIMITED, "The provider's rate limit or quota is used up"
    if status >= 500 or status in (408, 409, 425):
        return Reason.UPSTREAM_UNAVAILABLE, "The provider is not able to answer now"
    return Reason.UPSTREAM_INVALID_RESPONSE, "The provider answered with an unexpected status"
