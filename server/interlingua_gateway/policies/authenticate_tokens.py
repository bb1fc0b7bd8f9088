"""Knows callers by the tokens (JWT) of identity providers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

import jwt
import msgspec

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import Reason
from interlingua_gateway.core.identity import Identity, Refused, Scope, Via
from interlingua_gateway.policies.authenticate_keys import invalid
from interlingua_gateway.policies.known_identities import KnownIdentities
from interlingua_gateway.policies.token_keys import TokenKeys

REMEMBERED: Final = 4096
NO_MODEL: Final = ("",)
"""A list that covers no model: of a token without the claim that says which ones."""
LONGEST_NAME: Final = 128
LATEST_S: Final = 2**53
"""The greatest time in a token, in seconds since the epoch."""

Claims = Mapping[str, object]

_FORM: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)


class ClaimPaths(msgspec.Struct, frozen=True, kw_only=True):
    """Where claims are, such as `org.id`; empty for those that are not read."""

    tenant: str = ""
    project: str = ""
    user: str = "sub"
    scopes: str = ""
    models: str = ""


class IssuerRule(msgspec.Struct, frozen=True, kw_only=True):
    """What the tokens of one issuer must be, and what they mean.

    `tenant` is fixed, or else that of the claim, which must be one of `tenants` (None: any).
    """

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    claims: ClaimPaths
    tenant: str = ""
    tenants: frozenset[str] | None = None
    scopes: frozenset[Scope] = frozenset()
    scope_prefix: str = ""
    clock_skew_s: float = 0.0


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified token says; it holds until `until_s`, seconds since the epoch."""

    until_s: float
    tenant: str
    project: str
    user: str
    scopes: frozenset[Scope]
    models: tuple[str, ...]


class Issuer:
    """Verifies the tokens of one issuer."""

    def __init__(self, rule: IssuerRule, keys: TokenKeys, clock: Clock) -> None:
        self.rule = rule
        self.keys = keys
        self._clock = clock

    async def bearer(self, token: str, header: Mapping[str, object]) -> Bearer:
        """What `token` says, as far as it is true.

        Raises:
            Refused: CREDENTIALS_INVALID or PERMISSION_DENIED.
            UpstreamError: no key of the issuer is known yet.
        """
        algorithm, key_id = header.get("alg"), header.get("kid", "")
        if not isinstance(algorithm, str) or algorithm not in self.rule.algorithms:
            raise invalid("algorithm")
        if not isinstance(key_id, str) or "crit" in header:
            raise invalid("header")
        key = await self.keys.find(key_id, algorithm)
        if key is None:
            raise invalid("unknown signing key")
        claims = self._claims(token, key.key, algorithm)
        return self._bearer(claims, self._checked_until_s(claims))

    def _claims(self, token: str, key: object, algorithm: str) -> Claims:
        try:
            return jwt.decode(
                token,
                key,  # type: ignore[arg-type]  # one of the types that the library names
                algorithms=[algorithm],
                audience=self.rule.audiences,
                issuer=self.rule.issuer,
                options={
                    "require": ["exp", "iss", "aud"],
                    # Times are checked on the injected clock.
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidSignatureError:
            raise invalid("wrong signature") from None
        except jwt.InvalidAudienceError:
            raise invalid("wrong audience", "The token is meant for somebody else.") from None
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise invalid(type(error).__name__) from None

    def _checked_until_s(self, claims: Claims) -> float:
        now_s, skew_s = self._clock.time(), self.rule.clock_skew_s
        for name in ("nbf", "iat"):
            if name in claims and _time(claims, name) > now_s + skew_s:
                raise invalid("not valid yet", "The token is not valid yet.")
        return _time(claims, "exp") + skew_s

    def _bearer(self, claims: Claims, until_s: float) -> Bearer:
        rule, paths = self.rule, self.rule.claims
        tenant = rule.tenant or _name(claims, paths.tenant)
        if not tenant:
            raise invalid("no tenant", "The token does not say whose it is.")
        if rule.tenants is not None and not rule.tenant and tenant not in rule.tenants:
            raise Refused(
                Reason.PERMISSION_DENIED,
                "The tenant of this token may not use this gateway.",
                why=f"foreign tenant {tenant}",
            )
        return Bearer(
            until_s=until_s,
            tenant=tenant,
            project=_name(claims, paths.project),
            user=_name(claims, paths.user),
            scopes=self._scopes(claims),
            models=(_words(claims, paths.models) or NO_MODEL) if paths.models else (),
        )

    def _scopes(self, claims: Claims) -> frozenset[Scope]:
        if not self.rule.claims.scopes:
            return self.rule.scopes
        said = set(_words(claims, self.rule.claims.scopes))
        prefix = self.rule.scope_prefix
        return frozenset(scope for scope in self.rule.scopes if f"{prefix}{scope}" in said)


class _Remembered(msgspec.Struct, frozen=True):
    """A token that was verified with the keys of one generation."""

    bearer: Bearer
    keys: TokenKeys
    generation: int


class JwtTokens:
    """Implements the Tokens of authenticate: each token is its issuer's to verify, once."""

    def __init__(self, issuers: Iterable[Issuer], known: KnownIdentities, clock: Clock) -> None:
        self._issuers = {issuer.rule.issuer: issuer for issuer in issuers}
        self._known = known
        self._clock = clock
        self._remembered: dict[bytes, _Remembered] = {}

    async def identify(self, token: str) -> Identity:
        """Whose token it is; see Tokens."""
        name = sha256(token.encode()).digest()
        found = self._remembered.get(name)
        if found is None or found.generation != found.keys.generation:
            found = await self._verified(token)
            self._remember(name, found)
        bearer = found.bearer
        if bearer.until_s <= self._clock.time():
            raise invalid("expired", "The token has expired.")
        caller = self._known.caller(
            bearer.tenant, project=bearer.project, user=bearer.user, models=bearer.models
        )
        return Identity(via=Via.TOKEN, scopes=bearer.scopes, caller=caller)

    async def _verified(self, token: str) -> _Remembered:
        # The library's decoder would pass over characters that have no place in a token.
        if _FORM.fullmatch(token) is None:
            raise invalid("not a token")
        try:
            header = jwt.get_unverified_header(token)
            named = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise invalid("not a token") from None
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise invalid("unknown issuer")
        bearer = await issuer.bearer(token, header)
        return _Remembered(bearer, issuer.keys, issuer.keys.generation)

    def _remember(self, name: bytes, found: _Remembered) -> None:
        while len(self._remembered) >= REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[name] = found


def _time(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{name} is not a time")
    if not abs(value) < LATEST_S:  # nor is what is not a number
        raise invalid(f"{name} is not a time")
    return float(value)


def _at(claims: Claims, path: str) -> object:
    """The claim at `path`: one of this very name, or else the one inside of objects."""
    if not path:
        return None
    if path in claims:
        return claims[path]
    found: object = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _name(claims: Claims, path: str) -> str:
    """The claim as a name; empty if there is none.

    Raises:
        Refused: it is something else, too long, or has spaces or control characters in it.
    """
    value = _at(claims, path)
    if value is None:
        return ""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.isprintable() or " " in text:
        raise invalid(f"claim {path}")
    if not 0 < len(text) <= LONGEST_NAME:
        raise invalid(f"claim {path}")
    return text


def _words(claims: Claims, path: str) -> tuple[str, ...]:
    """The claim as a list of words; empty if there is none."""
    value = _at(claims, path)
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, Sequence):
        return tuple(word for word in value if isinstance(word, str))
    return ()
