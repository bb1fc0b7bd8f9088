"""Says who calls: by an API key, a token, a client certificate, or that it need not be known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.identity import Evidence, Identity, Scope, denied
from interlingua_gateway.policies.audit import Audit
from interlingua_gateway.policies.authenticate_certificates import Certificates
from interlingua_gateway.policies.authenticate_keys import AdminKey, ApiKeys, invalid
from interlingua_gateway.policies.known_identities import KnownIdentities

LONGEST_TOKEN: Final = 8192
LONGEST_ADMIN_KEY: Final = 512


class Tokens(Protocol):
    """Knows callers by tokens of identity providers."""

    async def identify(self, token: str) -> Identity:
        """Whose token it is.

        Raises:
            Refused: CREDENTIALS_INVALID or PERMISSION_DENIED.
            GatewayError: UPSTREAM_UNAVAILABLE; the provider's keys cannot be had.
        """
        ...


class Authenticate:
    """Implements Authenticator. A token goes before a certificate; what is shown must be right,
    also where callers may be nobody, who have the scopes `anonymous`."""

    def __init__(
        self,
        known: KnownIdentities,
        audit: Audit,
        clock: Clock,
        *,
        anonymous: frozenset[Scope] = frozenset(),
        admin_key: AdminKey | None = None,
        tokens: Tokens | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._known = known
        self._audit = audit
        self._clock = clock
        self._anonymous = Identity(scopes=anonymous, caller=known.caller())
        self._admin_key = admin_key
        self._api_keys = ApiKeys(known)
        self._tokens = tokens
        self._certificates = certificates

    async def __call__(self, evidence: Evidence, scope: Scope | None) -> Identity:
        try:
            identity = await self._identify(evidence)
            if scope is not None and not identity.may(scope):
                raise denied(identity, scope)
        except GatewayError as error:
            self._audit.refused(evidence, error)
            raise
        return identity

    def acted(self, evidence: Evidence, identity: Identity, facts: Mapping[str, str]) -> None:
        """See Authenticator."""
        self._audit.acted(evidence, identity, facts)

    async def _identify(self, evidence: Evidence) -> Identity:
        if evidence.tokens:
            return await self._of_token(evidence)
        if self._certificates is not None:
            certificate = evidence.certificate()
            found = None if certificate is None else self._certificates.identify(certificate)
            if found is not None:
                self._refuse_an_ended_tenant(found)
                return found
        return self._anonymous

    async def _of_token(self, evidence: Evidence) -> Identity:
        if len(evidence.tokens) > 1:
            raise invalid("several credentials", "Send one `authorization` or `x-api-key`.")
        token = evidence.tokens[0]
        if not 0 < len(token) <= LONGEST_TOKEN:
            raise invalid("empty" if not token else "too long")
        if self._admin_key is not None and len(token) <= LONGEST_ADMIN_KEY:
            admin = self._admin_key.identify(token)
            if admin is not None:
                return admin
        if token.startswith("il_"):
            return self._api_keys.identify(token, self._clock.time())
        if self._tokens is None:
            raise invalid("not in the form of a key")
        identity = await self._tokens.identify(token)
        self._refuse_an_ended_tenant(identity)
        return identity

    def _refuse_an_ended_tenant(self, identity: Identity) -> None:
        if self._known.ended(identity.tenant):
            raise invalid("tenant ended", "The tenant of these credentials was ended.")
