"""Opens the reports on the ledger when somebody asks for the first one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, cast

from interlingua_gateway.app.database import Databases
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.ledger import Operation
from interlingua_gateway.core.reports import Matching, Report, Reports, Span, UsageQuery

if TYPE_CHECKING:
    from interlingua_gateway.store.sql.usage import UsageReports


class LazyReports:
    """The port Reports. `settled` brings what this process has just recorded into the database, if
    that takes it."""

    def __init__(
        self, databases: Databases, settled: Callable[[], Awaitable[None]], clock: Clock
    ) -> None:
        self._databases = databases
        self._settled = settled
        self._clock = clock
        self._reports: UsageReports | None = None

    async def usage(self, query: UsageQuery) -> Report:
        """See Reports."""
        return await (await self._opened()).usage(query)

    async def operations(
        self, span: Span, matching: Matching, limit: int, before: str = ""
    ) -> Sequence[Operation]:
        """See Reports."""
        return await (await self._opened()).operations(span, matching, limit, before)

    async def _opened(self) -> Reports:
        await self._settled()
        if self._reports is None:
            module = await self._databases.module("usage")
            database = await self._databases.open()
            self._reports = cast("UsageReports", module.UsageReports(database, self._clock))
        return self._reports
