"""Makes what knows callers: keys, tokens, certificates, and the copy of keys and tenants."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from interlingua_gateway.app.database import Databases
from interlingua_gateway.config.auth import CertificateConfig, IssuerConfig
from interlingua_gateway.config.reach import is_local
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Clock, Tasks, secret_bytes
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.identities import Changes, IdentityStore
from interlingua_gateway.core.identity import Scope
from interlingua_gateway.policies.audit import Audit
from interlingua_gateway.policies.authenticate import Authenticate
from interlingua_gateway.policies.authenticate_certificates import CertificateRule, Certificates
from interlingua_gateway.policies.authenticate_keys import AdminKey
from interlingua_gateway.policies.issue_keys import KeyOffice
from interlingua_gateway.policies.known_identities import KnownIdentities
from interlingua_gateway.policies.permit import Permit
from interlingua_gateway.providers.jwks import Jwks
from interlingua_gateway.providers.transport.client import HttpClient
from interlingua_gateway.providers.transport.tls import client_tls

if TYPE_CHECKING:
    from types import ModuleType

    from interlingua_gateway.policies.authenticate_tokens import Issuer

ANONYMOUS_HERE = frozenset({Scope.INFERENCE, Scope.USAGE, Scope.FEEDBACK})
"""What callers on this machine may do without credentials unless the configuration says more."""


class Identities:
    """`authenticate` is for the front, `permit` for the stack, `office` for AdminService.

    `names` gives for aliases the name of their model.
    """

    def __init__(self, config: Config, databases: Databases, clock: Clock) -> None:
        auth = config.auth
        self.names = {alias: model.name for model in config.models for alias in model.aliases}
        self.known = KnownIdentities(auth.default_tier)
        self.permit = Permit(self.names)
        self._clock = clock
        self._tasks = Tasks()
        self._sources: list[Jwks] = []
        self._issuers = [self._issuer(entry) for entry in auth.jwt]
        self._store = _LateStore(databases)
        self.office = KeyOffice(self._store.opened, self.known, secret_bytes, clock)
        rules = [_rule(entry) for entry in auth.certificates]
        self.authenticate = Authenticate(
            self.known,
            Audit(clock),
            clock,
            anonymous=_anonymous(config),
            admin_key=None if auth.admin_key is None else AdminKey(auth.admin_key.reveal()),
            tokens=_tokens().JwtTokens(self._issuers, self.known, clock) if auth.jwt else None,
            certificates=Certificates(rules, self.known) if rules else None,
        )

    def start(self) -> None:
        """Keep the copy of keys and tenants fresh, and the keys of identity providers."""
        following = self.known.follow(self._store, self._clock)
        self._tasks.start(following, "follow-identities")
        for issuer in self._issuers:
            self._tasks.start(issuer.keys.follow(), f"follow-{issuer.rule.issuer}")

    async def loaded(self) -> None:
        """Wait for the first copy of keys and tenants."""
        await self.known.first()

    async def aclose(self) -> None:
        """End what `start` began."""
        await self._tasks.aclose()
        for issuer in self._issuers:
            await issuer.keys.aclose()
        for source in self._sources:
            await source.aclose()

    def _issuer(self, config: IssuerConfig) -> Issuer:
        tokens = _tokens()
        try:
            tls = client_tls(str(config.ca_file or ""))
        except OSError as error:
            raise InternalError(f"Cannot read the certificates in {config.ca_file}.") from error
        transport = HttpClient(clock=self._clock, tls=tls)
        source = Jwks(config.issuer, config.jwks_url, transport, self._clock)
        self._sources.append(source)
        keys = tokens.TokenKeys(config.issuer, source, config.refresh_s, self._clock)
        claims = {name: path or "" for name, path in config.claims.model_dump().items()}
        rule = tokens.IssuerRule(
            issuer=config.issuer,
            audiences=config.audiences,
            algorithms=config.algorithms,
            claims=tokens.ClaimPaths(**claims),
            tenant=config.tenant or "",
            tenants=None if config.tenants is None else frozenset(config.tenants),
            scopes=frozenset(map(Scope, config.scopes)),
            scope_prefix=config.scope_prefix,
            clock_skew_s=config.clock_skew_s,
        )
        return cast("Issuer", tokens.Issuer(rule, keys, self._clock))


def auth_secrets(config: Config) -> tuple[str, ...]:
    """Every secret of `auth`, for the redactor."""
    key = config.auth.admin_key
    return () if key is None else (key.reveal(),)


def _anonymous(config: Config) -> frozenset[Scope]:
    given = config.auth.anonymous
    if given is not None:
        return frozenset(map(Scope, given))
    return ANONYMOUS_HERE if is_local(config.server.listen) else frozenset()


def _rule(config: CertificateConfig) -> CertificateRule:
    return CertificateRule(
        uri=config.uri or "",
        dns=config.dns or "",
        common_name=config.common_name or "",
        tenant=config.tenant or "",
        project=config.project or "",
        user=config.user or "",
        scopes=frozenset(map(Scope, config.scopes)),
        models=config.models,
    )


def _tokens() -> ModuleType:
    try:
        return import_module("interlingua_gateway.policies.authenticate_tokens")
    except ModuleNotFoundError as error:
        raise InternalError(
            "auth.jwt is configured, but its library is missing: install interlingua-gateway[jwt]."
        ) from error


class _LateStore:
    """Opens the database when there is something in it, or when something is to be put there."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._store: IdentityStore | None = None

    async def opened(self) -> IdentityStore:
        """Where keys and tenants are kept."""
        if self._store is None:
            database = await self._databases.open()
            module = await self._databases.module("identities")
            self._store = cast("IdentityStore", module.SqlIdentities(database))
        return self._store

    async def changes(self, since: int) -> Changes:
        """See IdentityFeed."""
        if not self._databases.exists:
            return Changes(revision=since)
        return await (await self.opened()).changes(since)
