"""Shows how the ledger's journal fares."""

from __future__ import annotations

from typing import Protocol

from interlingua_gateway.telemetry.metrics import Metrics


class Waiting(Protocol):
    """How much is not in the database yet."""

    @property
    def waiting_records(self) -> int: ...

    @property
    def waiting_bytes(self) -> int: ...


class LedgerMetrics:
    """Without labels; see core/ledger.py: JournalWatch."""

    def __init__(self, metrics: Metrics) -> None:
        self._waiting_records = metrics.ledger_waiting_records
        self._waiting_bytes = metrics.ledger_waiting_bytes
        self._written = metrics.ledger_written
        self._last_flush = metrics.ledger_last_flush
        self._failures = metrics.ledger_failures
        self._lost = metrics.ledger_lost

    def follow(self, waiting: Waiting) -> None:
        """From now on what waits is asked of `waiting`, whenever somebody looks."""
        self._waiting_records.set_function(lambda: waiting.waiting_records)
        self._waiting_bytes.set_function(lambda: waiting.waiting_bytes)

    def flushed(self, records: int, at_s: float) -> None:
        """So many records are in the database now."""
        self._written.inc(records)
        self._last_flush.set(at_s)

    def failed(self) -> None:
        """The database took nothing."""
        self._failures.inc()

    def lost(self) -> None:
        """A record found no room."""
        self._lost.inc()
