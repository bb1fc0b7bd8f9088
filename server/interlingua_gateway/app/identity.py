"""Makes what knows callers: keys, tokens, certificates, and the copy of keys and tenants."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Never, cast

from interlingua_gateway.app.database import Databases
from interlingua_gateway.config.auth import CertificateConfig, IssuerConfig
from interlingua_gateway.config.reach import is_local
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Clock, Tasks, secret_bytes
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.identities import Changes, IdentityStore
from interlingua_gateway.core.identity import Authenticator, Evidence, Identity, Scope
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

    from interlingua_gateway.policies.authenticate_tokens import Issuer, IssuerRule

ANONYMOUS_HERE = frozenset({Scope.INFERENCE, Scope.USAGE, Scope.FEEDBACK})
"""What callers on this machine may do without credentials unless the configuration says more."""


class Identities:
    """The keys and tenants that are kept, whatever the configuration; `office` is for AdminService,
    `audit` writes of refusals and actions."""

    def __init__(self, config: Config, databases: Databases, clock: Clock) -> None:
        self.known = KnownIdentities(config.auth.default_tier)
        self.audit = Audit(clock)
        self._clock = clock
        self._tasks = Tasks()
        self._store = _LateStore(databases)
        self.office = KeyOffice(self._store.opened, self.known, secret_bytes, clock)

    def start(self) -> None:
        """Keep the copy of keys and tenants fresh."""
        following = self.known.follow(self._store, self._clock)
        self._tasks.start(following, "follow-identities")

    async def loaded(self) -> None:
        """Wait for the first copy of keys and tenants."""
        await self.known.first()

    async def aclose(self) -> None:
        """End what `start` began."""
        await self._tasks.aclose()


class Trusted:
    """An identity provider of the configuration; `entry` says all of it."""

    def __init__(self, entry: IssuerConfig, clock: Clock) -> None:
        """Raises InternalError where its certificates cannot be read."""
        tokens = _tokens()
        try:
            tls = client_tls(str(entry.ca_file or ""))
        except OSError as error:
            raise InternalError(f"Cannot read the certificates in {entry.ca_file}.") from error
        self.entry = entry
        self._source = Jwks(entry.issuer, entry.jwks_url, HttpClient(clock=clock, tls=tls), clock)
        keys = tokens.TokenKeys(entry.issuer, self._source, entry.refresh_s, clock)
        self.issuer = cast("Issuer", tokens.Issuer(_issuer_rule(entry), keys, clock))

    async def aclose(self) -> None:
        """Ask it for nothing more."""
        await self.issuer.keys.aclose()
        await self._source.aclose()


class Callers:
    """How a configuration knows callers: `authenticate` is for the front, after `former` from
    `begin` on; `permit` for the stack. `names` gives for aliases the name of their model.

    Identity providers that `former` trusts in the same way are taken over with their keys.
    """

    authenticate: Authenticator

    def __init__(
        self, config: Config, identities: Identities, clock: Clock, former: Callers | None = None
    ) -> None:
        self.names = {alias: model.name for model in config.models for alias in model.aliases}
        self.permit = Permit(self.names)
        self._config = config
        self._identities = identities
        self._clock = clock
        before = () if former is None else former.trusted
        same = {one.entry.issuer: one for one in before if one.entry in config.auth.jwt}
        self.trusted: tuple[Trusted, ...] = tuple(
            same.get(entry.issuer) or Trusted(entry, clock) for entry in config.auth.jwt
        )
        auth, known, issuers = config.auth, identities.known, [one.issuer for one in self.trusted]
        rules = [_rule(entry) for entry in auth.certificates]
        self._admin_key = None if auth.admin_key is None else AdminKey(auth.admin_key.reveal())
        self._tokens = _tokens().JwtTokens(issuers, known, clock) if issuers else None
        self._certificates = Certificates(rules, known) if rules else None
        if former is None:
            self.begin()

    def begin(self) -> None:
        """From now on callers are known so."""
        known = self._identities.known
        known.classify(self._config.auth.default_tier)
        self.authenticate = Authenticate(
            known,
            self._identities.audit,
            self._clock,
            anonymous=_anonymous(self._config),
            admin_key=self._admin_key,
            tokens=self._tokens,
            certificates=self._certificates,
        )

    def follow(self, tasks: Tasks) -> None:
        """Keep the keys of identity providers fresh until `tasks` are closed."""
        for one in self.trusted:
            tasks.start(one.issuer.keys.follow(), f"follow-{one.entry.issuer}")


class Door:
    """Implements Authenticator by the callers that `current` knows at each moment."""

    def __init__(self, current: Callable[[], Callers]) -> None:
        self._current = current

    def __call__(
        self, evidence: Evidence, scope: Scope | None
    ) -> Coroutine[object, Never, Identity]:
        """See Authenticator."""
        return self._current().authenticate(evidence, scope)

    def acted(self, evidence: Evidence, identity: Identity, facts: Mapping[str, str]) -> None:
        """See Authenticator."""
        self._current().authenticate.acted(evidence, identity, facts)


def auth_secrets(config: Config) -> tuple[str, ...]:
    """Every secret of `auth`, for the redactor."""
    key = config.auth.admin_key
    return () if key is None else (key.reveal(),)


def _anonymous(config: Config) -> frozenset[Scope]:
    given = config.auth.anonymous
    if given is not None:
        return frozenset(map(Scope, given))
    return ANONYMOUS_HERE if is_local(config.server.listen) else frozenset()


def _issuer_rule(config: IssuerConfig) -> IssuerRule:
    tokens = _tokens()
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
    return cast("IssuerRule", rule)


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
