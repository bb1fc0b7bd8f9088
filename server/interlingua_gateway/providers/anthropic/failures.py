"""What a failure of Anthropic's means, by its status and the types and codes in its body."""

from __future__ import annotations

from typing import Final

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError, Violation
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.dialect import Header
from interlingua_gateway.providers.openai import failures

_TOO_LONG: Final = ("prompt is too long", "input length and `max_tokens` exceed context limit")
"""How a message begins that says that the request does not fit into the context window. It is the
one thing that the API tells in words alone; where the words change, the request is still refused,
only for a reason that is less exact."""
_SPENT: Final = frozenset({"contract_spend_limit_reached", "enforced_spend_limit_reached"})
"""Codes by which a request is refused because the account is used up, not for its own sake."""


class _Details(msgspec.Struct):
    error_code: str = ""


class _Fault(msgspec.Struct):
    type: str = ""
    message: str = ""
    details: _Details | None = None


class _Body(msgspec.Struct):
    error: _Fault | None = None


class Failures:
    """Makes the gateway's error of an upstream's."""

    def __init__(self, redactor: Redactor) -> None:
        self._by_status = failures.Failures(redactor)

    def of_response(
        self, attempt: Attempt | None, status: int, header: Header, body: bytes, now: float
    ) -> GatewayError:
        """What a response with another status than 200 means; `now` is in Unix seconds."""
        error = self._by_status.of_response(attempt, status, header, body, now)
        return _closer(error, body)

    def of_answer(self, attempt: Attempt | None, body: bytes) -> GatewayError:
        """What an error means that came where an answer was due, or within one."""
        return _closer(self._by_status.of_answer(attempt, body), body)


def _closer(error: GatewayError, body: bytes) -> GatewayError:
    """`error`, or what the body of a refused request says more exactly."""
    if error.reason is not Reason.INVALID_REQUEST:
        return error
    try:
        fault = msgspec.json.decode(body, type=_Body).error
    except (msgspec.DecodeError, UnicodeError):
        return error
    if fault is None:
        return error
    if fault.details is not None and fault.details.error_code in _SPENT:
        return UpstreamError(
            Reason.UPSTREAM_RATE_LIMITED,
            "The provider's rate limit or quota is used up.",
            metadata=error.metadata,
        )
    if fault.message.startswith(_TOO_LONG):
        error.reason = Reason.CONTEXT_LENGTH_EXCEEDED
        error.violations = (Violation("messages", error.message),)
    return error
