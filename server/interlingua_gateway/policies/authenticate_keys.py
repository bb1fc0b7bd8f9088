"""Knows callers by API keys, and by the admin key of the configuration."""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

from interlingua_gateway.core.errors import PolicyError, Reason
from interlingua_gateway.core.identities import ApiKey, digest, parts_of
from interlingua_gateway.core.identity import Identity, Refused, Scope, Via
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.policies.known_identities import KnownIdentities

LOADING_RETRY_S: Final = 1.0
NOT_VALID: Final = "The credentials are not valid."

_NO_KEY: Final = ApiKey(id="", created_at_s=0.0)
_ADMIN: Final = Identity(
    via=Via.ADMIN_KEY, scopes=frozenset({Scope.ADMIN}), caller=Caller(key="admin")
)


class AdminKey:
    """The key that the configuration names. It can do everything, also before a key was made."""

    def __init__(self, secret: str) -> None:
        self._digest = digest(secret)

    def identify(self, token: str) -> Identity | None:
        """The admin, or None if `token` is something else."""
        return _ADMIN if compare_digest(digest(token), self._digest) else None


class ApiKeys:
    """Checks keys against the copy at hand.

    An id that is not known costs one digest and two comparisons like any other. What ended a key is
    told only to who has its secret.
    """

    def __init__(self, known: KnownIdentities) -> None:
        self._known = known

    def identify(self, token: str, now_s: float) -> Identity:
        """Who has `token`, a text that begins with `il_`.

        Raises:
            Refused: CREDENTIALS_INVALID.
            PolicyError: STORE_UNAVAILABLE; the keys were not read yet.
        """
        parts = parts_of(token)
        if parts is None:
            raise invalid("not in the form of a key")
        if not self._known.loaded:
            raise PolicyError(
                Reason.STORE_UNAVAILABLE,
                "This gateway has not read its keys yet. Send the call again a little later.",
                retry_after_s=LOADING_RETRY_S,
            )
        name, secret = parts
        key = self._known.key(name)
        found = _NO_KEY if key is None else key
        shown = digest(secret)
        is_current = compare_digest(shown, found.secret_sha256)
        is_previous = compare_digest(shown, found.previous_sha256)
        if key is None or not (is_current or is_previous):
            raise invalid("unknown key" if key is None else "wrong secret", key=name)
        self._check(key, now_s, is_current=is_current)
        return self._known.identity(key)

    def _check(self, key: ApiKey, now_s: float, *, is_current: bool) -> None:
        """Raise if `key`, whose secret the caller has, does not work any more."""
        if key.revoked_at_s is not None:
            raise invalid("revoked", "The key was revoked.", key=key.id)
        if key.expires_at_s is not None and key.expires_at_s <= now_s:
            raise invalid("expired", "The key has expired.", key=key.id)
        if not is_current and key.previous_until_s <= now_s:
            message = "The key was given a new secret, and the time of the old one is over."
            raise invalid("replaced secret", message, key=key.id)
        if self._known.ended(key.tenant):
            raise invalid("tenant ended", "The key's tenant was ended.", key=key.id)


def invalid(why: str, message: str = NOT_VALID, *, key: str = "") -> Refused:
    """Credentials that are not taken; `why` is for the log."""
    return Refused(Reason.CREDENTIALS_INVALID, message, why=why, key=key)
