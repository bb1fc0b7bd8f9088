"""Puts another configuration in force while calls run: read, checked, made whole, then swapped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from interlingua_gateway.app.digests import configuration_digest
from interlingua_gateway.app.gateway import Gateway
from interlingua_gateway.app.lasting import secrets_in
from interlingua_gateway.app.parts import Parts
from interlingua_gateway.config.compare import Difference, differences
from interlingua_gateway.config.problems import ConfigError, Problem, dotted
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import (
    CallerError,
    GatewayError,
    InternalError,
    PolicyError,
    Reason,
    Violation,
)
from interlingua_gateway.core.reload import Reloaded
from interlingua_gateway.telemetry.logs import set_level

Read: TypeAlias = Callable[[], Config]
"""Reads the configuration; raises ConfigError with all that is wrong with it."""

MAX_NAMED: Final = 8
"""Faults told one by one: an error travels in headers, whose size is bounded."""

log = logging.getLogger("interlingua.configuration")


class Reloading:
    """Implements Reload for `gateway`; `put` shows the parts in force to whoever reports of them.

    One reload comes after the other. Nothing is changed before the last thing that can fail.
    """

    def __init__(
        self, gateway: Gateway, read: Read, put: Callable[[Parts], None], clock: Clock
    ) -> None:
        self._gateway = gateway
        self._read = read
        self._put = put
        self._clock = clock
        self._turn = asyncio.Lock()
        self._metrics = gateway.lasting.metrics
        self._metrics.config_loaded.set(clock.time())

    async def __call__(self, *, dry_run: bool) -> Reloaded:
        """See Reload."""
        async with self._turn:
            try:
                reloaded = await self._reload(dry_run=dry_run)
            except GatewayError as error:
                if not dry_run:
                    self._metrics.config_reloads.labels("refused").inc()
                    facts = {"error": error.message, "digest": self._digest}
                    log.error("configuration not reloaded", extra={"fields": facts})
                raise
        return reloaded

    @property
    def _digest(self) -> str:
        return configuration_digest(self._gateway.parts.config)

    async def _reload(self, *, dry_run: bool) -> Reloaded:
        if self._gateway.draining:
            raise PolicyError(Reason.SHUTTING_DOWN, "This gateway is about to stop.")
        former = self._gateway.parts.config
        try:
            config = await asyncio.to_thread(self._read)
        except ConfigError as error:
            raise _wrong(error.problems) from error
        found = differences(former, config)
        fixed = [difference for difference in found if difference.needs_restart]
        if fixed:
            raise _needs_restart(fixed)
        redact = self._gateway.lasting.redact
        redact.learn(secrets_in(config))
        changes = tuple(redact(str(difference)) for difference in found)
        if changes:
            await self._replace(config, dry_run=dry_run)
        before, now = configuration_digest(former), self._digest
        if not dry_run:
            self._succeeded(before, now, changes)
        return Reloaded(now, before, changes)

    async def _replace(self, config: Config, *, dry_run: bool) -> None:
        gateway = self._gateway
        try:
            parts = Parts(config, gateway.lasting, gateway.parts)
        except InternalError as error:
            raise CallerError(Reason.INVALID_REQUEST, error.message) from error
        in_force = False
        try:
            if not dry_run:
                await self._prepare(parts)
                gateway.swap(parts)
                in_force = True
                self._put(parts)
        finally:
            if not in_force:
                await parts.aclose((gateway.parts, *gateway.former))

    async def _prepare(self, parts: Parts) -> None:
        gateway, config = self._gateway, parts.config
        try:
            await gateway.prepare(parts)
        except InternalError as error:
            raise CallerError(Reason.INVALID_REQUEST, error.message) from error
        await gateway.budgets.prepare(config)
        if gateway.draining:
            raise PolicyError(Reason.SHUTTING_DOWN, "This gateway is about to stop.")

    def _succeeded(self, former: str, digest: str, changes: Sequence[str]) -> None:
        outcome = "reloaded" if changes else "unchanged"
        if changes:
            set_level(self._gateway.parts.config.telemetry.log_level)
            self._metrics.config_loaded.set(self._clock.time())
        self._metrics.config_reloads.labels(outcome).inc()
        facts = {"digest": digest, "former_digest": former, "changes": list(changes)}
        log.info(f"configuration {outcome}", extra={"fields": facts})


def _wrong(problems: Sequence[Problem]) -> CallerError:
    """What `config check` says, each problem under its key."""
    violations = tuple(
        Violation(dotted(problem.key) or "configuration", f"{problem.origin}: {problem.message}")
        for problem in problems[:MAX_NAMED]
    )
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    message = f"The configuration has {count}, and nothing was changed"
    return CallerError(Reason.INVALID_REQUEST, message, violations=violations)


def _needs_restart(fixed: Sequence[Difference]) -> CallerError:
    violations = tuple(
        Violation(one.key, "cannot change while the gateway runs") for one in fixed[:MAX_NAMED]
    )
    keys = ", ".join(one.key for one in fixed[:MAX_NAMED])
    message = f"A restart is needed for {keys}, and nothing was changed"
    return CallerError(Reason.INVALID_REQUEST, message, violations=violations)
