"""Embeddings in the OpenAI form, whose vectors litellm would make into an object for each float."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import Batch
from interlingua_gateway.core.types import EmbedRequest
from interlingua_gateway.providers.litellm.carrying import framing_of, read_body
from interlingua_gateway.providers.litellm.exchange import Exchange
from interlingua_gateway.providers.litellm.marks import Framing
from interlingua_gateway.providers.litellm.prepared import Ask, Prepared, unread
from interlingua_gateway.providers.openai.embeddings import whole_embeddings
from interlingua_gateway.providers.openai.failures import Failures
from interlingua_gateway.providers.transport.messages import HttpResponse


def embeddings_of(ask: Ask) -> Prepared:
    """The request for embeddings, as bytes in base64: a server that knows no base64 sends lists."""
    account = ask.account
    headers = {
        "Authorization": f"Bearer {account['api_key']}",
        "Content-Type": "application/json",
    }
    body = msgspec.json.encode({"model": ask.model, **ask.arguments, "encoding_format": "base64"})
    url = str(account["api_base"]).removesuffix("/") + "/embeddings"
    return Prepared(url, headers, body, unread, unread, unread)


async def embeddings_in(
    response: HttpResponse, exchange: Exchange, request: EmbedRequest, failures: Failures
) -> Batch:
    """The vectors in the answer.

    Raises:
        GatewayError: it holds none.
    """
    if framing_of(response.header("content-type"), exchange) is not Framing.NAMES:
        raise UpstreamError(
            Reason.UPSTREAM_INVALID_RESPONSE, "The provider answered embeddings with a stream."
        )
    body = await read_body(response, exchange)
    whole = whole_embeddings(exchange.attempt, request, failures, body)
    exchange.marks.model, exchange.marks.id = whole.upstream_model, whole.upstream_id
    return whole.events
