"""Keys and tenants as they are kept, and the ports to where they are kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, Protocol, TypeAlias

import msgspec

from interlingua_gateway.core.identity import Scope

Entropy: TypeAlias = Callable[[int], bytes]
"""So many bytes that nobody can guess."""

NO_SECRET: Final = bytes(32)
"""In the place of a digest; no secret is known that has it."""

ID_BYTES: Final = 8
SECRET_BYTES: Final = 32
SECRET_LENGTH: Final = 43
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN: Final = re.compile(r"il_([0-9a-f]{16})_([0-9A-Za-z]{43})")


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret. Times are seconds since the epoch; None means never.

    Either of the two secrets opens it, the previous one until `previous_until_s`. Empty `models`
    are all of the tenant's.
    """

    id: str
    display_name: str = ""
    tenant: str = ""
    project: str = ""
    scopes: frozenset[Scope] = frozenset()
    models: tuple[str, ...] = ()
    created_at_s: float
    expires_at_s: float | None = None
    revoked_at_s: float | None = None
    secret_sha256: bytes = NO_SECRET
    previous_sha256: bytes = NO_SECRET
    previous_until_s: float = 0.0


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant; one that was ended has `deleted_at_s`. Empty `models` are all."""

    id: str
    display_name: str = ""
    tier: str = ""
    models: tuple[str, ...] = ()
    created_at_s: float = 0.0
    deleted_at_s: float | None = None


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Keys and tenants that are new or different up to `revision`; `whole`: all that there are."""

    revision: int
    whole: bool = False
    keys: Sequence[ApiKey] = ()
    tenants: Sequence[Tenant] = ()


class IdentityFeed(Protocol):
    """Where changes of keys and tenants are read."""

    async def changes(self, since: int) -> Changes:
        """What has changed since revision `since`; 0 gives all.

        Raises:
            GatewayError: STORE_UNAVAILABLE; the database does not answer.
        """
        ...


class IdentityStore(IdentityFeed, Protocol):
    """Where keys and tenants are kept. Every method raises as `changes` does."""

    async def add_key(self, key: ApiKey) -> None:
        """Keep a new key.

        Raises:
            CallerError: RESOURCE_NOT_FOUND; there is no such tenant.
        """
        ...

    async def rotate_key(self, key: str, secret: bytes, until_s: float, now_s: float) -> ApiKey:
        """Give `key` the new digest `secret`; the old one goes on until `until_s`.

        Raises:
            CallerError: RESOURCE_NOT_FOUND, or INVALID_REQUEST for a key that has ended.
        """
        ...

    async def revoke_key(self, key: str, now_s: float) -> ApiKey:
        """End `key`; one that has ended stays as it is.

        Raises:
            CallerError: RESOURCE_NOT_FOUND.
        """
        ...

    async def keys(
        self, *, tenant: str, live_at_s: float | None, before: tuple[float, str] | None, limit: int
    ) -> Sequence[ApiKey]:
        """Up to `limit` keys, newest first: of `tenant` (empty: of all), only those that work at
        `live_at_s`, and those after the one of the time and id `before`."""
        ...

    async def put_tenant(self, tenant: Tenant) -> Tenant:
        """Keep `tenant` in the place of what is known under its id; it keeps its creation time."""
        ...

    async def delete_tenant(self, tenant: str, now_s: float) -> None:
        """End `tenant` and all its keys.

        Raises:
            CallerError: RESOURCE_NOT_FOUND.
        """
        ...

    async def tenants(self, *, after: str, limit: int) -> Sequence[Tenant]:
        """Up to `limit` tenants by id, those after the id `after`."""
        ...


class KeyAdmin(Protocol):
    """Changes keys and tenants. A secret exists in what a method returns and nowhere else.

    Every method raises what its namesake of IdentityStore does.
    """

    async def create_key(self, wish: ApiKey, ttl_s: float | None) -> tuple[ApiKey, str]:
        """A new key like `wish`, and the token of its holder."""
        ...

    async def rotate_key(self, key: str, overlap_s: float) -> tuple[ApiKey, str]:
        """The key with a new secret, and the new token; the old one works for `overlap_s` more.

        A second rotation in that time ends the secret before the old one.
        """
        ...

    async def revoke_key(self, key: str) -> ApiKey:
        """The key, which has ended."""
        ...

    async def keys(
        self, *, tenant: str, ended: bool, before: tuple[float, str] | None, limit: int
    ) -> Sequence[ApiKey]:
        """Up to `limit` keys, newest first; with `ended` also those that do not work any more."""
        ...

    async def put_tenant(self, tenant: Tenant) -> Tenant:
        """The tenant as it is kept."""
        ...

    async def delete_tenant(self, tenant: str) -> None:
        """End the tenant and all of its keys."""
        ...

    async def tenants(self, *, after: str, limit: int) -> Sequence[Tenant]:
        """Up to `limit` tenants, by id."""
        ...


def new_secret(entropy: Entropy) -> str:
    """A secret of 256 random bits, as 43 letters and digits."""
    number = int.from_bytes(entropy(SECRET_BYTES), "big")
    digits: list[str] = []
    for _ in range(SECRET_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)


def new_id(entropy: Entropy) -> str:
    """The public part of a key: 16 hexadecimal digits."""
    return entropy(ID_BYTES).hex()


def token_of(key: str, secret: str) -> str:
    """What the holder of a key sends."""
    return f"il_{key}_{secret}"


def parts_of(token: str) -> tuple[str, str] | None:
    """Id and secret of `token`, or None if it does not have the form of a key."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else (match[1], match[2])


def digest(secret: str) -> bytes:
    """What is kept of a secret. It has 256 bits, so that one round of SHA-256 is enough."""
    return sha256(secret.encode()).digest()
