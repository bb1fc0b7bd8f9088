"""Who may call: keys, tokens of identity providers, client certificates, or everybody."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, PlainSerializer, model_validator

from interlingua_gateway.config.fields import LocatedPath, NamePattern, Seconds, SecondsOrZero
from interlingua_gateway.config.secret import Secret
from interlingua_gateway.config.section import Section, absent

ADMIN_KEY_LENGTH: Final = 32
LONGEST_ADMIN_KEY: Final = 512
_URL: Final = re.compile(r"(https?)://(?P<host>\[[0-9A-Fa-f:]+\]|[^/\s:@]+)(:\d+)?(/\S*)?\Z")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PLACES: Final = re.compile(r"\{(\w*)\}")

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]


def _admin_key(value: Secret | None) -> Secret | None:
    if value is None:
        return value
    text = value.reveal()
    if not ADMIN_KEY_LENGTH <= len(text) <= LONGEST_ADMIN_KEY:
        raise ValueError(
            f"an admin key has {ADMIN_KEY_LENGTH} to {LONGEST_ADMIN_KEY} characters, such as what "
            "`openssl rand -hex 32` writes"
        )
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("an admin key has no spaces and nothing but ASCII characters")
    return value


def _url(value: str) -> str:
    match = _URL.match(value)
    if match is None:
        raise ValueError("write a URL such as https://login.example/keys, without credentials")
    if not value.startswith("https:") and match["host"] not in _LOOPBACK:
        raise ValueError("keys are fetched by https only, except from this machine")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[!-~]{1,128}", value):
        raise ValueError("write up to 128 ASCII characters without spaces")
    return value


def _pattern(value: str) -> str:
    if not value or " " in value:
        raise ValueError("a name is needed, without spaces")
    found = _PLACES.findall(value)
    if len(set(found)) != len(found) or not set(found) <= {"tenant", "project", "user"}:
        raise ValueError("{tenant}, {project} and {user} may stand in a pattern, once each")
    return value


ScopeName = Literal["inference", "usage", "feedback", "admin"]
Scopes = Annotated[frozenset[ScopeName], PlainSerializer(sorted, return_type=list[str])]
Url = Annotated[str, AfterValidator(_url)]
Name = Annotated[str, AfterValidator(_name)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Texts = Annotated[tuple[str, ...], Field(min_length=1)]


class ClaimsConfig(Section):
    """Which claims say who it is: names, or paths such as `org.id`; null for none."""

    tenant: str | None = None
    """The tenant."""
    project: str | None = None
    """The project of the tenant."""
    user: str | None = "sub"
    """The user, who wins over the one that a request names."""
    scopes: str | None = None
    """What is allowed: a list, or words with spaces between them."""
    models: str | None = None
    """Aliases that may be named, patterns with a * included: a list, or words with spaces between
    them. A token without the claim may name none."""


class IssuerConfig(Section):
    """An identity provider (OpenID Connect) whose tokens are taken."""

    issuer: Url
    """The claim `iss` of its tokens, to the letter."""
    audiences: Texts
    """The claim `aud` must hold one of these."""
    jwks_url: Url | None = None
    """Where its keys are; by default as its discovery document
    (`/.well-known/openid-configuration`) says."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256", "ES256", "EdDSA")
    """Signatures that are taken; all of them are asymmetric."""
    claims: ClaimsConfig = Field(default_factory=absent)
    """What the claims mean."""
    tenant: Name | None = None
    """The tenant of all its tokens; without it claims.tenant says it."""
    tenants: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Tenants that claims.tenant may say; by default all."""
    scopes: Scopes = frozenset({"inference"})
    """What its tokens allow; with claims.scopes at most."""
    scope_prefix: str = ""
    """What stands before the name of a scope in claims.scopes, such as `llm:`."""
    clock_skew_s: SecondsOrZero = 30
    """Seconds by which its clock may differ."""
    refresh_s: Seconds = 300
    """Seconds after which its keys are fetched again."""
    ca_file: LocatedPath | None = None
    """PEM certificates to trust when its keys are fetched; by default the system's."""

    @model_validator(mode="after")
    def _says_whose(self) -> Self:
        if (self.tenant is None) == (self.claims.tenant is None):
            raise ValueError("give tenant or claims.tenant: it says whose tokens they are")
        if self.tenants is not None and self.tenant is not None:
            raise ValueError("tenants is for claims.tenant")
        return self


class CertificateConfig(Section):
    """Callers by a name in their client certificate; the first rule that matches counts.

    In a pattern `*` stands for a part of the name (up to the next `/` of a URI, or `.` of another
    name); `{tenant}`, `{project}` and `{user}` stand for a part that is taken as such.
    """

    uri: Pattern | None = None
    """A URI, such as the SPIFFE id spiffe://example.org/ns/{tenant}/sa/*."""
    dns: Pattern | None = None
    """A DNS name."""
    common_name: Pattern | None = None
    """The common name of the subject."""
    tenant: Name | None = None
    """The tenant; without it the pattern says it."""
    project: Name | None = None
    """The project of the tenant."""
    user: Name | None = None
    """The user, who wins over the one that a request names."""
    scopes: Scopes = frozenset({"inference"})
    """What is allowed."""
    models: tuple[NamePattern, ...] = ()
    """Aliases that may be named, patterns with a * included; by default all of the tenant's."""

    @model_validator(mode="after")
    def _says_whose(self) -> Self:
        given = [text for text in (self.uri, self.dns, self.common_name) if text is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of uri, dns and common_name")
        for name in ("tenant", "project", "user"):
            if getattr(self, name) is not None and f"{{{name}}}" in given[0]:
                raise ValueError(f"{name} is given twice: by its key and in the pattern")
        if self.tenant is None and "{tenant}" not in given[0]:
            raise ValueError("give tenant, or {tenant} in the pattern: it says whose they are")
        return self


class AuthConfig(Section):
    """Who may call. API keys, which `interlingua keys` makes, are always taken."""

    anonymous: Scopes | None = None
    """What is allowed without credentials. null is inference, usage and feedback where the gateway
    listens on this machine alone (loopback addresses and Unix sockets), and nothing elsewhere."""
    admin_key: Annotated[Secret | None, AfterValidator(_admin_key)] = None
    """A key that may do everything: env:NAME or file:/path. With it the first keys are made."""
    jwt: tuple[IssuerConfig, ...] = ()
    """Identity providers whose tokens are taken. Needs interlingua-gateway[jwt]."""
    certificates: tuple[CertificateConfig, ...] = ()
    """Who comes with which client certificate. Needs server.tls.require_client_certificate."""
    default_tier: Name = "default"
    """The tier of callers whose tenant has none."""

    @model_validator(mode="after")
    def _issuers_differ(self) -> Self:
        issuers = [entry.issuer for entry in self.jwt]
        for issuer in issuers:
            if issuers.count(issuer) > 1:
                raise ValueError(f"the issuer {issuer!r} is there twice")
        return self
