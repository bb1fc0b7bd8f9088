"""The OpenAI dialect: chat completions, embeddings, models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError
from interlingua_gateway.core.estimate import input_tokens
from interlingua_gateway.core.events import TokenCount
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.types import CountRequest, EmbedRequest, GenerateRequest
from interlingua_gateway.providers.dialect import Counting, Endpoint, Header, Whole
from interlingua_gateway.providers.openai.counting import by_llama_server
from interlingua_gateway.providers.openai.decoding import CompletionDecoder, whole_completion
from interlingua_gateway.providers.openai.embeddings import embed_form, whole_embeddings
from interlingua_gateway.providers.openai.failures import Failures
from interlingua_gateway.providers.openai.generate import audio_format, generate_form
from interlingua_gateway.providers.openai.quirks import Quirks
from interlingua_gateway.providers.openai.reading import Reading
from interlingua_gateway.providers.transport.messages import HttpRequest

JSON = ("content-type", "application/json")


class _Named(msgspec.Struct):
    id: str


class _Listed(msgspec.Struct):
    data: list[_Named]


class OpenAIDialect:
    """Implements Dialect for OpenAI's API and everything compatible with it.

    `endpoint` is asked before each request, so that an upstream may move; it raises UpstreamError
    while there is none. `api_version` is Azure's: with it the URLs are those of deployments.
    """

    def __init__(
        self,
        endpoint: Callable[[], Endpoint],
        quirks: Quirks,
        *,
        redactor: Redactor,
        clock: Clock,
        api_version: str = "",
    ) -> None:
        self._endpoint = endpoint
        self._quirks = quirks
        self._failures = Failures(redactor)
        self._clock = clock
        self._api_version = api_version

    def request(self, attempt: Attempt) -> HttpRequest:
        """The request for `attempt`; see Dialect."""
        asked = _uncounted(attempt)
        if isinstance(asked, EmbedRequest):
            form = embed_form(attempt, asked, self._quirks)
            path = self._path("/embeddings", attempt)
        else:
            form = generate_form(attempt, asked, self._quirks)
            path = self._path("/chat/completions", attempt)
        endpoint = self._endpoint()
        headers = (*endpoint.headers, JSON, *attempt.headers.items())
        return HttpRequest("POST", endpoint.origin, endpoint.path + path, headers, form.encode())

    def _path(self, path: str, attempt: Attempt) -> str:
        if not (self._quirks.deployments and self._api_version):
            return path
        model, version = quote(attempt.target.model, safe=""), quote(self._api_version, safe="")
        return f"/deployments/{model}{path}?api-version={version}"

    def whole(self, attempt: Attempt, body: bytes) -> Whole:
        """The answer in a whole body; see Dialect."""
        asked = _uncounted(attempt)
        if isinstance(asked, EmbedRequest):
            return whole_embeddings(attempt, asked, self._failures, body)
        return whole_completion(attempt, self._reading(attempt), self._failures, body)

    def decoder(self, attempt: Attempt) -> CompletionDecoder:
        """A decoder for one streamed answer; see Dialect."""
        return CompletionDecoder(attempt, self._reading(attempt), self._failures)

    def _reading(self, attempt: Attempt) -> Reading:
        asked = _uncounted(attempt)
        sound = audio_format(attempt, asked) if isinstance(asked, GenerateRequest) else ""
        return Reading(attempt, sound, usage_per_candidate=self._quirks.usage_per_candidate)

    def failure(
        self, attempt: Attempt | None, status: int, header: Header, body: bytes
    ) -> GatewayError:
        """What a response other than 200 means; see Dialect."""
        return self._failures.of_response(attempt, status, header, body, self._clock.time())

    def count(self, attempt: Attempt) -> Counting | TokenCount:
        """A token count, or the steps to it; see Dialect."""
        asked = _uncounted(attempt)
        if isinstance(asked, GenerateRequest) and self._quirks.llama_server:
            form = generate_form(attempt, asked, self._quirks)
            return by_llama_server(asked, form, self._endpoint())
        return TokenCount(input_tokens(asked), estimated=True)

    def models_request(self) -> HttpRequest | None:
        """The request for the list of models; see Dialect."""
        if not self._quirks.lists_models:
            return None
        endpoint = self._endpoint()
        return HttpRequest("GET", endpoint.origin, f"{endpoint.path}/models", endpoint.headers)

    def models(self, body: bytes) -> Sequence[str]:
        """The names in a list of models, with or without an object around it; see Dialect."""
        try:
            listed = msgspec.json.decode(body, type=_Listed | list[_Named])
        except (msgspec.DecodeError, UnicodeError) as error:
            raise UpstreamError(
                Reason.UPSTREAM_INVALID_RESPONSE,
                "The provider's list of models is of no known form.",
            ) from error
        return [named.id for named in (listed.data if isinstance(listed, _Listed) else listed)]


def _uncounted(attempt: Attempt) -> GenerateRequest | EmbedRequest:
    request = attempt.request
    return request.request if isinstance(request, CountRequest) else request
