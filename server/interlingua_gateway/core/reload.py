"""What it means to put another configuration in force while calls run."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Reloaded(msgspec.Struct, frozen=True):
    """`digest` is that of the configuration in force, `former` that of the one before; `changes`
    are lines that name every key that differs, without secrets."""

    digest: str
    former: str
    changes: tuple[str, ...]


class Reload(Protocol):
    """Reads the configuration again and puts it in force, all of it or nothing."""

    async def __call__(self, *, dry_run: bool) -> Reloaded:
        """With `dry_run` nothing changes: `digest` is `former`, `changes` what would be different.

        Raises:
            CallerError: INVALID_REQUEST; what is wrong with the configuration, or needs a restart.
            PolicyError: SHUTTING_DOWN; the gateway is about to stop.
            GatewayError: something that the new configuration needs is not to be had.
        """
        ...
