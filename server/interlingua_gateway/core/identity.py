"""Who calls and what they may do, and what they show as a proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.wishes import Caller


class Scope(StrEnum):
    """What credentials allow: services of the contract; ADMIN is everything, for every tenant."""

    INFERENCE = "inference"
    USAGE = "usage"
    FEEDBACK = "feedback"
    ADMIN = "admin"


class Via(StrEnum):
    """How a caller was known."""

    NOTHING = "nothing"
    ADMIN_KEY = "admin_key"
    API_KEY = "api_key"
    TOKEN = "token"
    CERTIFICATE = "certificate"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who calls; `caller` is what their calls carry.

    With the scope ADMIN reports show every tenant, else the caller's own one.
    """

    via: Via = Via.NOTHING
    scopes: frozenset[Scope] = frozenset()
    caller: Caller = Caller()

    @property
    def tenant(self) -> str:
        """The caller's tenant; empty for callers of whom none is known."""
        return self.caller.tenant

    @property
    def is_admin(self) -> bool:
        """Whether everything is allowed, for every tenant."""
        return Scope.ADMIN in self.scopes

    @property
    def name(self) -> str:
        """For log lines, such as `api_key 3fa9c2d4 of acme`."""
        caller = self.caller
        who = caller.key or caller.user
        found = f"{self.via} {who}" if who else str(self.via)
        return f"{found} of {caller.tenant}" if caller.tenant else found

    def may(self, scope: Scope) -> bool:
        """Whether methods that need `scope` are allowed."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def calling_for(self, user: str) -> Caller:
        """The caller of a request that names `user`; a user that the credentials name wins."""
        if not user or self.caller.user:
            return self.caller
        return msgspec.structs.replace(self.caller, user=user)


NOBODY: Final = Identity()
"""A caller of whom nothing is known and to whom nothing is allowed."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The names in a client's certificate, which the TLS listener has verified."""

    uris: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    common_name: str = ""


class Evidence(Protocol):
    """What a call shows of its caller, and its name in the log.

    `tokens` are the values of `authorization: Bearer` and `x-api-key`, as they came.
    """

    @property
    def id(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def tokens(self) -> Sequence[str]: ...

    def certificate(self) -> Certificate | None:
        """The verified certificate of the connection, if it has one."""
        ...

    def peer(self) -> str:
        """The address of the other end, such as `ipv4:10.0.0.7:50120`."""
        ...


class Authenticator(Protocol):
    """Knows callers."""

    async def __call__(self, evidence: Evidence, scope: Scope | None) -> Identity:
        """Who calls; with a scope only if that is allowed to them.

        Raises:
            CallerError: CREDENTIALS_MISSING, CREDENTIALS_INVALID or PERMISSION_DENIED.
            GatewayError: what is needed in order to tell cannot be had at the moment.
        """
        ...

    def acted(self, evidence: Evidence, identity: Identity, facts: Mapping[str, str]) -> None:
        """Somebody has used a method of the scope ADMIN; `facts` say on what and how it ended."""
        ...


class KeySource(Protocol):
    """Where an identity provider publishes the keys that its signatures are checked with."""

    async def fetch(self) -> Sequence[Mapping[str, object]]:
        """The keys, each as a JSON Web Key (RFC 7517); what is no object is left out.

        Raises:
            UpstreamError: they cannot be had.
        """
        ...


class Refused(CallerError):
    """Credentials were not taken. `why` and `key`, the id of an API key, are for the log alone."""

    def __init__(self, reason: Reason, message: str, *, why: str, key: str = "") -> None:
        super().__init__(reason, message)
        self.why = why
        self.key = key


def denied(identity: Identity, scope: Scope) -> Refused:
    """The refusal of a method that needs `scope`."""
    if identity.via is Via.NOTHING:
        return Refused(
            Reason.CREDENTIALS_MISSING,
            f"This method needs credentials with the scope `{scope}`: send "
            "`authorization: Bearer <key>` in the metadata.",
            why="no credentials",
        )
    refused = Refused(
        Reason.PERMISSION_DENIED,
        f"These credentials do not have the scope `{scope}`, which this method needs.",
        why=f"needs the scope {scope}",
        key=identity.caller.key,
    )
    refused.metadata["needs"] = str(scope)
    return refused
