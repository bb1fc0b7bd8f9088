"""Counts the input tokens of a request, exactly where the upstream can."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.estimate import input_tokens
from interlingua_gateway.core.events import TokenCount
from interlingua_gateway.core.types import GenerateRequest, Media
from interlingua_gateway.providers.dialect import Counting, Endpoint
from interlingua_gateway.providers.form import Form
from interlingua_gateway.providers.transport.messages import HttpRequest


class _Prompt(msgspec.Struct):
    prompt: str


class _Tokens(msgspec.Struct):
    tokens: list[msgspec.Raw]


def by_llama_server(request: GenerateRequest, form: Form, endpoint: Endpoint) -> Counting:
    """An exact count by llama.cpp's server: the prompt of its own chat template, then its own
    tokenizer with special tokens, as it does for a completion. Media are estimated."""
    if any(isinstance(part, Media) for message in request.messages for part in message.parts):
        return TokenCount(input_tokens(request), estimated=True)
    root = endpoint.path.removesuffix("/v1")
    body = yield _post(endpoint, f"{root}/apply-template", form.encode())
    try:
        prompt = msgspec.json.decode(body, type=_Prompt).prompt
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        body = yield _post(endpoint, f"{root}/tokenize", msgspec.json.encode(asked))
        tokens = len(msgspec.json.decode(body, type=_Tokens).tokens)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise UpstreamError(
            Reason.UPSTREAM_INVALID_RESPONSE, "The provider's token count is of another shape."
        ) from error
    return TokenCount(tokens, estimated=False)


def _post(endpoint: Endpoint, path: str, body: bytes) -> HttpRequest:
    headers = (*endpoint.headers, ("content-type", "application/json"))
    return HttpRequest("POST", endpoint.origin, path, headers, body)
