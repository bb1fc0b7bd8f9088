"""Shows how the ledger's journal fares."""

from __future__ import annotations

from interlingua_gateway.telemetry.metrics import Metrics


class LedgerMetrics:
    """Without labels; see core/ledger.py: JournalWatch."""

    def __init__(self, metrics: Metrics) -> None:
        self._waiting_records = metrics.ledger_waiting_records
        self._waiting_bytes = metrics.ledger_waiting_bytes
        self._written = metrics.ledger_written
        self._last_flush = metrics.ledger_last_flush
        self._failures = metrics.ledger_failures
        self._lost = metrics.ledger_lost

    def waiting(self, records: int, size_bytes: int) -> None:
        """So much is not in the database yet."""
        self._waiting_records.set(records)
        self._waiting_bytes.set(size_bytes)

    def flushed(self, records: int, at_s: float) -> None:
        """So many records are now."""
        self._written.inc(records)
        self._last_flush.set(at_s)

    def failed(self) -> None:
        """The database took nothing."""
        self._failures.inc()

    def lost(self) -> None:
        """A record found no room."""
        self._lost.inc()
