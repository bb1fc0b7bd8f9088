"""Makes the ledger of a configuration: journal, policy, and what brings records to a database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from interlingua_gateway.app.database import Databases
from interlingua_gateway.config.ledger import TextsConfig
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.ledger import Journal, RecordKind
from interlingua_gateway.core.ports import Policy
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.policies.ledger import Ledger
from interlingua_gateway.policies.ledger import Transcript as TranscriptPort
from interlingua_gateway.policies.transcript import Mask, Transcript
from interlingua_gateway.store.courier import Courier
from interlingua_gateway.store.spool import Spool
from interlingua_gateway.telemetry.ledger import LedgerMetrics
from interlingua_gateway.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from interlingua_gateway.store.sql.flush import Flush

SPOOL: Final = "spool"
SWEEP_EVERY_S: Final = 3600.0
FINISH_S: Final = 5.0
SETTLE_S: Final = 5.0

log = logging.getLogger("interlingua.ledger")


class LedgerPolicies:
    """`journal` is None where nothing is recorded; `policies` are what stands in the stack. `mask`
    makes texts fit to be kept; None where none are."""

    def __init__(
        self,
        config: Config,
        databases: Databases,
        metrics: Metrics,
        redact: Redactor,
        clock: Clock,
    ) -> None:
        self._config = config.ledger
        self._data_dir = config.data_dir
        self._databases = databases
        self._clock = clock
        self._tasks = Tasks()
        self._watch = LedgerMetrics(metrics)
        self._flush: Flush | None = None
        self._turn = asyncio.Lock()
        self._started = False
        self._spool: Spool | None = None
        self._settling: asyncio.Task[bool] | None = None
        self.mask = _mask(self._config.texts, redact)
        self.policies: tuple[Policy, ...] = ()
        if self._config.enabled:
            self._spool = Spool(
                config.data_dir / SPOOL,
                self._config.spool_max_bytes,
                self._watch,
                lossy=self._config.when_full == "lose",
            )
            self._watch.follow(self._spool)
            self.policies = (Ledger(self._spool, _transcripts(self.mask)),)
            self._courier = Courier(
                self._spool, self._opened, self._watch, clock, self._config.flush_interval_s
            )

    @property
    def journal(self) -> Journal | None:
        """Where records go; None where nothing is recorded."""
        return self._spool

    def on_turn(self, turned: Callable[[], None]) -> None:
        """Call `turned` whenever `full` has changed; it must not raise or block."""
        if self._spool is not None:
            self._spool.on_turn(turned)

    @property
    def full(self) -> bool:
        """Whether calls are refused because they could not be recorded."""
        return self._spool is not None and self._spool.full

    def start(self) -> None:
        """From now on what is recorded gets into the database, and old records out of it.

        Raises:
            InternalError: the spool cannot be written.
        """
        if self._spool is None:
            return
        self._spool.open()
        self._started = True
        self._tasks.start(self._courier.run(), "ledger-courier")
        if self._databases.exists:
            self._tasks.start(self._keep_clean(), "ledger-retention")

    async def finish(self) -> None:
        """No call is open any more: bring what still waits into the database, if it takes it."""
        if self._started:
            await self._courier.finish(FINISH_S)

    @property
    def inherits(self) -> bool:
        """Whether earlier processes may have left records behind that no database has."""
        directory = self._data_dir / SPOOL
        return self._config.enabled and directory.is_dir() and any(directory.iterdir())

    async def inherited(self) -> None:
        """Wait until those are in the database."""
        if self._started:
            await self._courier.inherited()

    async def settled(self) -> None:
        """Bring what this process has recorded up to now into the database, if it takes it soon."""
        if not self._started or self._spool is None or not self._spool.waiting_records:
            return
        if self._settling is None or self._settling.done():
            self._settling = self._tasks.start(self._courier.delivered(), "ledger-settle")
        with suppress(TimeoutError), Timeout(self._clock, self._clock.monotonic() + SETTLE_S):
            await asyncio.shield(self._settling)

    async def aclose(self) -> None:
        """Stop; what is not in the database stays in the spool for the next process."""
        await self._tasks.aclose()
        if self._spool is not None and self._started:
            self._spool.close()

    async def _opened(self) -> Flush:
        """The way into the database, made when there is the first record for it."""
        async with self._turn:
            if self._flush is None:
                assert self._spool is not None
                module = await self._databases.module("flush")
                operations = await self._databases.module("operations")
                feedback = await self._databases.module("feedback")
                database = await self._databases.open()
                sinks = {
                    RecordKind.OPERATION: operations.store_operations,
                    RecordKind.FEEDBACK: feedback.store_feedback,
                }
                flush = module.Flush(self._spool, database, sinks, self._watch, self._clock)
                self._flush = cast("Flush", flush)
                if not self._databases.exists:
                    self._tasks.start(self._keep_clean(), "ledger-retention")
            return self._flush

    async def _keep_clean(self) -> None:
        """Remove what is too old, now and every hour."""
        module = await self._databases.module("retention")
        retention = module.Retention(
            await self._databases.open(),
            self._clock,
            days=self._config.retention_days,
            totals_days=self._config.totals_retention_days,
        )
        while True:
            try:
                removed = await retention.sweep()
                if removed:
                    log.info("old records are removed", extra={"fields": {"rows": removed}})
            except GatewayError as error:
                fields = {"error": type(error).__name__}
                log.warning("old records could not be removed", extra={"fields": fields})
            await self._clock.sleep(SWEEP_EVERY_S)


def _mask(config: TextsConfig, redact: Redactor) -> Mask | None:
    if config.keep == "none":
        return None
    return Mask(redact, config.mask, config.max_characters)


def _transcripts(mask: Mask | None) -> Callable[[], TranscriptPort] | None:
    if mask is None:
        return None
    return lambda: Transcript(mask)
