"""The dialect of Anthropic's Messages API: messages, token counts, models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import CallerError, GatewayError, Reason, UpstreamError
from interlingua_gateway.core.events import TokenCount
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.types import CountRequest, EmbedRequest, GenerateRequest
from interlingua_gateway.providers.anthropic.decoding import MessageDecoder, whole_message
from interlingua_gateway.providers.anthropic.failures import Failures
from interlingua_gateway.providers.anthropic.generate import message_form
from interlingua_gateway.providers.anthropic.shapes import CountShape
from interlingua_gateway.providers.dialect import Counting, Endpoint, Header, Whole
from interlingua_gateway.providers.form import Form
from interlingua_gateway.providers.transport.messages import HttpRequest

VERSION: Final = ("anthropic-version", "2023-06-01")
BETA: Final = "anthropic-beta"
_JSON: Final = ("content-type", "application/json")
_COUNTED: Final[tuple[str, ...]] = (
    "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
    "cache_control",
)  # fmt: skip
"""The fields of a request that the endpoint for counting takes."""
_BETA_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


class _Named(msgspec.Struct):
    id: str


class _Listed(msgspec.Struct):
    data: list[_Named]


class AnthropicDialect:
    """Implements Dialect for one account. The endpoint's path stands before `/v1/messages`."""

    def __init__(self, endpoint: Endpoint, *, redactor: Redactor, clock: Clock) -> None:
        self._endpoint = endpoint
        self._failures = Failures(redactor)
        self._clock = clock

    def request(self, attempt: Attempt) -> HttpRequest:
        """The request for `attempt`; see Dialect."""
        form = message_form(attempt, _conversation(attempt))
        betas = _betas(form)
        return self._post("/v1/messages", attempt, form.body, betas)

    def whole(self, attempt: Attempt, body: bytes) -> Whole:
        """The answer in a whole body; see Dialect."""
        return whole_message(attempt, self._failures, body)

    def decoder(self, attempt: Attempt) -> MessageDecoder:
        """A decoder for one streamed answer; see Dialect."""
        return MessageDecoder(attempt, self._failures)

    def failure(
        self, attempt: Attempt | None, status: int, header: Header, body: bytes
    ) -> GatewayError:
        """What a response other than 200 means; see Dialect."""
        return self._failures.of_response(attempt, status, header, body, self._clock.time())

    def count(self, attempt: Attempt) -> Counting:
        """The steps to a count by the provider itself; see Dialect."""
        form = message_form(attempt, _conversation(attempt))
        betas = _betas(form)
        counted = {name: form.body[name] for name in _COUNTED if name in form.body}
        body = yield self._post("/v1/messages/count_tokens", attempt, counted, betas)
        try:
            tokens = msgspec.json.decode(body, type=CountShape).input_tokens
        except (msgspec.DecodeError, UnicodeError) as error:
            raise _invalid("The provider's token count is of another shape.") from error
        return TokenCount(tokens, estimated=False)

    def models_request(self) -> HttpRequest:
        """The request for the list of models, which is one page; see Dialect."""
        endpoint = self._endpoint
        path = f"{endpoint.path}/v1/models?limit=1000"
        return HttpRequest("GET", endpoint.origin, path, endpoint.headers)

    def models(self, body: bytes) -> Sequence[str]:
        """The names in a list of models; see Dialect."""
        try:
            listed = msgspec.json.decode(body, type=_Listed)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise _invalid("The provider's list of models is of no known form.") from error
        return [named.id for named in listed.data]

    def _post(
        self, path: str, attempt: Attempt, body: dict[str, object], betas: Sequence[str]
    ) -> HttpRequest:
        endpoint = self._endpoint
        headers = endpoint.headers
        if betas:
            own = [value for name, value in headers if name == BETA]
            rest = tuple(header for header in headers if header[0] != BETA)
            headers = (*rest, (BETA, ",".join((*own, *betas))))
        return HttpRequest(
            "POST",
            endpoint.origin,
            endpoint.path + path,
            (*headers, _JSON, *attempt.headers.items()),
            msgspec.json.encode(body),
        )


def _conversation(attempt: Attempt) -> GenerateRequest:
    request = attempt.request
    if isinstance(request, CountRequest):
        return request.request
    if isinstance(request, EmbedRequest):
        raise CallerError.of_field(
            "model",
            f"provider {attempt.target.provider} makes no embeddings; name a model of another one",
            Reason.UNSUPPORTED_PARAMETER,
        )
    return request


def _betas(form: Form) -> list[str]:
    """The features of `betas` among the provider options, which travel in a header.

    Raises:
        CallerError: they are no list of names.
    """
    betas = form.body.pop("betas", [])
    if not isinstance(betas, list) or not all(
        isinstance(name, str) and _BETA_NAME.fullmatch(name) for name in betas
    ):
        raise CallerError.of_field("provider_options_json", "'betas' must be a list of names")
    return betas


def _invalid(text: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, text)
