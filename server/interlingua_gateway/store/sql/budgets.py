"""Budgets in the database: those put at runtime, what the ledger says was spent, alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    cast,
    delete,
    func,
    select,
)

from interlingua_gateway.core.budget import (
    WITHIN_TENANT,
    Alert,
    BudgetRule,
    Facet,
    Period,
    ScopedBudget,
    Spent,
)
from interlingua_gateway.store.sql.budget_tables import BUDGET_ALERTS, BUDGETS
from interlingua_gateway.store.sql.database import Database
from interlingua_gateway.store.sql.dialect import insert
from interlingua_gateway.store.sql.identity_tables import REVISIONS
from interlingua_gateway.store.sql.ledger_tables import ROLLUPS

SUBJECT: Final = "budgets"
DAY_S: Final = 86_400
USER: Final = "user:"
AFTER_USERS: Final = "user;"
"""The first text behind all that begin with `user:`, byte by byte."""

_COLUMNS: Final = {
    Facet.TENANT: ROLLUPS.c.tenant_id,
    Facet.PROJECT: ROLLUPS.c.project,
    Facet.KEY: ROLLUPS.c.api_key_id,
    Facet.MODEL: ROLLUPS.c.model,
    Facet.USER: ROLLUPS.c.facet,
}


class SqlBudgets:
    """Implements BudgetStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changed(self, since: int) -> tuple[int, Sequence[ScopedBudget]] | None:
        """The revision and all budgets, or None."""

        def read(connection: Connection) -> tuple[int, Sequence[ScopedBudget]] | None:
            found = connection.execute(
                select(REVISIONS.c.revision).where(REVISIONS.c.subject == SUBJECT)
            ).scalar()
            if int(found or 0) <= since:
                return None
            rows = connection.execute(select(BUDGETS).order_by(BUDGETS.c.budget_id)).mappings()
            return int(found or 0), [_budget(row) for row in rows]

        return await self._database.read(read)

    async def put(self, budget: ScopedBudget) -> None:
        """Keep `budget`."""

        def write(connection: Connection) -> None:
            _count_up(connection)
            values = _values(budget)
            statement = insert(connection, BUDGETS).values(**values)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["budget_id"],
                    set_={name: value for name, value in values.items() if name != "budget_id"},
                )
            )

        await self._database.write(write)

    async def delete(self, budget: str) -> bool:
        """Forget it; whether there was one."""

        def write(connection: Connection) -> bool:
            _count_up(connection)
            done = connection.execute(delete(BUDGETS).where(BUDGETS.c.budget_id == budget))
            return done.rowcount > 0

        return await self._database.write(write)

    async def spent(self, wanted: Sequence[tuple[BudgetRule, float]]) -> Sequence[Sequence[Spent]]:
        """What was spent for each rule since its time."""

        def read(connection: Connection) -> Sequence[Sequence[Spent]]:
            return [_spent(connection, rule, since_s) for rule, since_s in wanted]

        return await self._database.read(read)

    async def alerted(self) -> Mapping[str, int]:
        """The highest threshold by pot."""

        def read(connection: Connection) -> Mapping[str, int]:
            rows = connection.execute(
                select(BUDGET_ALERTS.c.pot, BUDGET_ALERTS.c.threshold_nano_usd)
            )
            return {pot: int(threshold) for pot, threshold in rows}

        return await self._database.read(read)

    async def tell(self, alerts: Sequence[Alert], now_s: float) -> None:
        """Keep that they were sent."""

        def write(connection: Connection) -> None:
            for alert in sorted(alerts, key=lambda alert: alert.pot.key):
                _tell(connection, alert)
            ended = BUDGET_ALERTS.c.ends_at_s < int(now_s)
            connection.execute(delete(BUDGET_ALERTS).where(ended))

        await self._database.write(write)


def _count_up(connection: Connection) -> None:
    """The next revision; whoever changes budgets at the same time waits here."""
    statement = insert(connection, REVISIONS).values(subject=SUBJECT, revision=1)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["subject"], set_={"revision": REVISIONS.c.revision + 1}
        )
    )


def _tell(connection: Connection, alert: Alert) -> None:
    ends_at_s = alert.pot.ends_at_s
    statement = insert(connection, BUDGET_ALERTS).values(
        pot=alert.pot.key,
        threshold_nano_usd=alert.threshold_nano_usd,
        ends_at_s=None if ends_at_s is None else int(ends_at_s),
    )
    higher = statement.excluded.threshold_nano_usd
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["pot"],
            set_={"threshold_nano_usd": higher},
            where=BUDGET_ALERTS.c.threshold_nano_usd < higher,
        )
    )


def _spent(connection: Connection, rule: BudgetRule, since_s: float) -> list[Spent]:
    needed = _needed(rule)
    columns = [_COLUMNS[facet] for facet in needed]
    total = cast(func.sum(ROLLUPS.c.cost_nano_usd), BigInteger)
    statement = select(*columns, total).where(*_conditions(rule, since_s)).group_by(*columns)
    found: list[Spent] = []
    for *values, nano_usd in connection.execute(statement):
        by_facet = dict(zip(needed, map(str, values), strict=True))
        if Facet.USER in by_facet:
            by_facet[Facet.USER] = by_facet[Facet.USER].removeprefix(USER)
        found.append(Spent(by_facet, int(nano_usd or 0)))
    return found


def _needed(rule: BudgetRule) -> tuple[Facet, ...]:
    """What tells the pots of `rule` apart, and the models that it may hold for."""
    needed = set(rule.per)
    if needed & WITHIN_TENANT:
        needed.add(Facet.TENANT)
    if rule.models is not None:
        needed.add(Facet.MODEL)
    return tuple(facet for facet in Facet if facet in needed)


def _conditions(rule: BudgetRule, since_s: float) -> list[ColumnElement[bool]]:
    conditions = [ROLLUPS.c.step_s == DAY_S, ROLLUPS.c.start_s >= int(since_s)]
    facet = ROLLUPS.c.facet
    if rule.users is not None:
        conditions.append(facet.in_([USER + user for user in rule.users]))
    elif Facet.USER in rule.per:
        conditions += [facet >= USER, facet < AFTER_USERS]
    else:
        conditions.append(facet == "")
    for column, names in (
        (ROLLUPS.c.tenant_id, rule.tenants),
        (ROLLUPS.c.project, rule.projects),
        (ROLLUPS.c.api_key_id, rule.keys),
    ):
        if names is not None:
            conditions.append(column.in_(sorted(names)))
    return conditions


def _values(budget: ScopedBudget) -> dict[str, object]:
    return {
        "budget_id": budget.id,
        "tenant_id": budget.tenant,
        "project": budget.project,
        "api_key_id": budget.key,
        "end_user": budget.user,
        "model": budget.model,
        "period": str(budget.period),
        "limit_nano_usd": budget.limit_nano_usd,
        "hard": budget.hard,
        "alert_at": msgspec.json.encode(budget.alert_at).decode(),
    }


def _budget(row: RowMapping) -> ScopedBudget:
    return ScopedBudget(
        id=str(row["budget_id"]),
        tenant=str(row["tenant_id"]),
        project=str(row["project"]),
        key=str(row["api_key_id"]),
        user=str(row["end_user"]),
        model=str(row["model"]),
        period=Period(str(row["period"])),
        limit_nano_usd=int(str(row["limit_nano_usd"])),
        hard=bool(row["hard"]),
        alert_at=msgspec.json.decode(str(row["alert_at"]), type=tuple[float, ...]),
    )
