"""The public keys of one identity provider: fetched ahead of need, and once more for a new one."""

from __future__ import annotations

import logging
from asyncio import shield
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import msgspec
from jwt import PyJWK, PyJWKError
from jwt.exceptions import InvalidKeyError

from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError
from interlingua_gateway.core.identity import KeySource

if TYPE_CHECKING:
    from asyncio import Task

    from jwt.algorithms import AllowedPublicKeys

PATIENCE_S: Final = 2.0
"""Longest that a call waits for keys to be fetched."""
RETRY_AFTER_S: Final = 5.0
PAUSE_S: Final = 10.0
"""Shortest time between two fetches that calls with unknown keys cause, and after a failed one."""
SMALLEST_RSA_BITS: Final = 2048

Kind: TypeAlias = tuple[str, str]
"""Type and curve of a key, such as ("EC", "P-256"); the curve of an RSA key is empty."""

KINDS: Final[Mapping[str, Kind]] = {
    **{f"{family}{bits}": ("RSA", "") for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The kind of key that each algorithm needs; all of them are asymmetric (RFC 7518, RFC 8037)."""

log = logging.getLogger("interlingua.tokens")


class PublicKey(msgspec.Struct, frozen=True):
    """A key; `algorithm` is empty where any of its kind will do."""

    kind: Kind
    algorithm: str
    key: AllowedPublicKeys

    def serves(self, algorithm: str) -> bool:
        """Whether signatures of `algorithm` are checked with it."""
        return KINDS[algorithm] == self.kind and self.algorithm in ("", algorithm)


class TokenKeys:
    """Keys by their ids. `generation` counts the times at which they became others.

    While the provider does not answer, the last keys stay in force.
    """

    def __init__(self, issuer: str, source: KeySource, refresh_s: float, clock: Clock) -> None:
        self.generation = 0
        self._issuer = issuer
        self._source = source
        self._refresh_s = refresh_s
        self._clock = clock
        self._keys: Mapping[str, PublicKey] = {}
        self._published: list[Mapping[str, object]] | None = None
        self._tasks = Tasks()
        self._fetch: Task[None] | None = None
        self._rest_until = clock.monotonic()

    async def find(self, key_id: str, algorithm: str) -> PublicKey | None:
        """The key `key_id` (empty: the only one that there is) for `algorithm`, or None.

        One that is not known is asked for once: the call waits up to `PATIENCE_S` for it. For
        `PAUSE_S` after that calls with unknown keys get their answer at once.

        Raises:
            UpstreamError: no key is known yet, and the provider does not answer.
        """
        found = self._at_hand(key_id, algorithm)
        if found is not None:
            return found
        if self._fetch is not None or self._clock.monotonic() >= self._rest_until:
            await self._fetched()
        if self._published is None:
            raise UpstreamError(
                Reason.UPSTREAM_UNAVAILABLE,
                f"The keys of the identity provider {self._issuer} are not at hand.",
                retry_after_s=RETRY_AFTER_S,
            )
        return self._at_hand(key_id, algorithm)

    async def follow(self) -> None:
        """Fetch the keys now and every `refresh_s` seconds, for ever."""
        while True:
            try:
                await shield(self._fetching())
                pause_s = self._refresh_s
            except GatewayError as error:
                log.warning("keys of tokens cannot be had", extra={"fields": {"error": str(error)}})
                pause_s = min(PAUSE_S, self._refresh_s)
            await self._clock.sleep(pause_s * (0.9 + 0.2 * self._clock.random()))

    async def aclose(self) -> None:
        """End a fetch that is under way."""
        await self._tasks.aclose()

    def _at_hand(self, key_id: str, algorithm: str) -> PublicKey | None:
        if key_id:
            found = self._keys.get(key_id)
            return found if found is not None and found.serves(algorithm) else None
        fitting = [key for key in self._keys.values() if key.serves(algorithm)]
        return fitting[0] if len(fitting) == 1 else None

    async def _fetched(self) -> None:
        """Wait for a fetch, whatever comes of it."""
        with (
            suppress(GatewayError, TimeoutError),
            Timeout(self._clock, self._clock.monotonic() + PATIENCE_S),
        ):
            await shield(self._fetching())

    def _fetching(self) -> Task[None]:
        """The fetch that is under way, or a new one."""
        if self._fetch is None:
            self._fetch = self._tasks.start(self._take_over(), f"keys-of-{self._issuer}")
            self._fetch.add_done_callback(self._done)
        return self._fetch

    def _done(self, fetch: Task[None]) -> None:
        self._fetch = None
        self._rest_until = self._clock.monotonic() + PAUSE_S
        if not fetch.cancelled():
            fetch.exception()

    async def _take_over(self) -> None:
        published = list(await self._source.fetch())
        if published == self._published:
            return
        self._published = published
        found = ((_text(jwk, "kid"), _public_key(jwk)) for jwk in published)
        self._keys = {key_id or f" {i}": key for i, (key_id, key) in enumerate(found) if key}
        self.generation += 1
        fields = {"issuer": self._issuer, "keys": len(self._keys), "left": len(published)}
        log.info("keys of tokens are new", extra={"fields": fields})


def _public_key(jwk: Mapping[str, object]) -> PublicKey | None:
    """The key, or None if it is not one to check signatures of tokens with."""
    kind = (_text(jwk, "kty"), "" if jwk.get("kty") == "RSA" else _text(jwk, "crv"))
    if kind not in KINDS.values() or jwk.get("use", "sig") != "sig":
        return None
    try:
        key = cast("AllowedPublicKeys", PyJWK(dict(jwk)).key)
    except (PyJWKError, InvalidKeyError, ValueError, TypeError):
        return None
    if getattr(key, "key_size", SMALLEST_RSA_BITS) < SMALLEST_RSA_BITS and kind[0] == "RSA":
        return None
    return PublicKey(kind, _text(jwk, "alg"), key)


def _text(jwk: Mapping[str, object], name: str) -> str:
    value = jwk.get(name)
    return value if isinstance(value, str) else ""
