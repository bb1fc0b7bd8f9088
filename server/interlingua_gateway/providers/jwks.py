"""Fetches the public keys of identity providers (OpenID Connect)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from interlingua_gateway.core.clock import Clock, Timeout
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.providers.transport.errors import TransportError
from interlingua_gateway.providers.transport.messages import (
    HttpRequest,
    Transport,
    read_whole,
    split_url,
)

CONNECT_TIMEOUT_S: Final = 3.0
TOTAL_TIMEOUT_S: Final = 6.0
MAX_BODY_BYTES: Final = 1024 * 1024
RETRY_AFTER_S: Final = 5.0
DISCOVERY: Final = "/.well-known/openid-configuration"

_TRUSTED: Final = re.compile(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?/")


class _Discovery(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _KeySet(msgspec.Struct):
    keys: list[object]


class Jwks:
    """Implements KeySource for one issuer; owns its transport.

    Without `url` the issuer's discovery document says where the keys are.
    Source: https://openid.net/specs/openid-connect-discovery-1_0.html, section 4.
    """

    def __init__(self, issuer: str, url: str | None, transport: Transport, clock: Clock) -> None:
        self._issuer = issuer
        self._url = url
        self._transport = transport
        self._clock = clock

    async def fetch(self) -> Sequence[Mapping[str, object]]:
        """See KeySource."""
        try:
            with Timeout(self._clock, self._clock.monotonic() + TOTAL_TIMEOUT_S):
                url = self._url or await self._discover()
                found = msgspec.json.decode(await self._get(url), type=_KeySet)
        except TimeoutError as error:
            raise self._failed("does not answer in time") from error
        except TransportError as error:
            raise self._failed("cannot be reached") from error
        except (msgspec.DecodeError, ValueError) as error:
            raise self._failed("does not send what it should") from error
        return [key for key in found.keys if isinstance(key, dict)]

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def _discover(self) -> str:
        body = await self._get(self._issuer.rstrip("/") + DISCOVERY)
        found = msgspec.json.decode(body, type=_Discovery)
        if found.issuer != self._issuer or _TRUSTED.match(found.jwks_uri) is None:
            raise ValueError("another issuer's document, or keys that come in plain text")
        return found.jwks_uri

    async def _get(self, url: str) -> bytes:
        parts = urlsplit(url)
        origin, _ = split_url(f"{parts.scheme}://{parts.netloc}")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = HttpRequest("GET", origin, path, headers=(("accept", "application/json"),))
        response = await self._transport.send(
            request, connect_timeout_s=CONNECT_TIMEOUT_S, on_sent=lambda: None
        )
        if response.status != 200:
            response.close()
            raise ValueError(f"status {response.status}")
        return await read_whole(response, MAX_BODY_BYTES)

    def _failed(self, what: str) -> UpstreamError:
        return UpstreamError(
            Reason.UPSTREAM_UNAVAILABLE,
            f"The keys of the identity provider {self._issuer} are not at hand: it {what}.",
            retry_after_s=RETRY_AFTER_S,
        )
