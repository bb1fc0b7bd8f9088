"""Writes operations: each one once, and into the totals only when it was really written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    CursorResult,
    FromClause,
    Insert,
    Select,
    case,
    func,
    literal,
    select,
)

from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.ledger import LONGEST_BYTES, Operation, bounded
from interlingua_gateway.store.sql.dialect import dialect_of, insert, insert_in, items, rows
from interlingua_gateway.store.sql.ledger_tables import (
    LATENCY_BOUNDS_US,
    OPERATION_TAGS,
    OPERATION_TEXTS,
    OPERATIONS,
    ROLLUP_KEYS,
    ROLLUP_SUMS,
    ROLLUPS,
    STEPS_S,
)

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

LARGEST: Final = 10**14

_COLUMNS: Final = OPERATIONS.c


def store_operations(connection: Connection, records: Sequence[bytes]) -> None:
    """Write spooled operations; those that are there already count nowhere again.

    Raises:
        ValueError: a record cannot be read.
    """
    decoder = msgspec.msgpack.Decoder(Operation)
    operations = {operation.id: operation for operation in map(decoder.decode, records)}
    for operation in operations.values():
        _check(operation)
    new = _insert(connection, list(operations.values()))
    if not new:
        return
    fresh = [operations[name] for name in new]
    _store_beside(connection, fresh)
    facets = [Facet.ALL]
    if any(operation.user for operation in fresh):
        facets.append(Facet.USER)
    if any(operation.details.tags for operation in fresh):
        facets.append(Facet.TAG)
    for facet in facets:
        for compiled in _compiled(connection.dialect.name, facet):
            _run(connection, compiled, {"ids": new})


class Facet(StrEnum):
    """What totals are of: of everything, or of each user or tag."""

    ALL = ""
    USER = "user:"
    TAG = "tag:"


def adding(dialect: str, facet: Facet, step_s: int, chosen: ColumnElement[bool]) -> Insert:
    """The statement that adds the `chosen` rows of operations to the totals by `step_s`."""
    source: FromClause = OPERATIONS
    name: ColumnElement[str] = literal(str(facet))
    if facet is Facet.USER:
        name, chosen = name + _COLUMNS.end_user, chosen & (_COLUMNS.end_user != "")
    elif facet is Facet.TAG:
        same = OPERATION_TAGS.c.operation_id == _COLUMNS.operation_id
        name, source = name + OPERATION_TAGS.c.tag, OPERATION_TAGS.join(OPERATIONS, same)
    added = _totals(step_s, name, source, chosen)
    statement = insert_in(dialect, ROLLUPS).from_select([*ROLLUP_KEYS, *ROLLUP_SUMS], added)
    return statement.on_conflict_do_update(
        index_elements=list(ROLLUP_KEYS),
        set_={name: ROLLUPS.c[name] + statement.excluded[name] for name in ROLLUP_SUMS},
    )


@cache
def _compiled(dialect: str, facet: Facet) -> tuple[SQLCompiler, ...]:
    """Statements that add the operations whose names `ids` lists, one for each step.

    To write them down takes as long as to run them: they are kept.
    """
    chosen = _COLUMNS.operation_id.in_(items(dialect, "ids"))
    statements = (adding(dialect, facet, step_s, chosen) for step_s in STEPS_S)
    compiled = (statement.compile(dialect=dialect_of(dialect)) for statement in statements)
    return tuple(compiled)


@cache
def _insertion(dialect: str) -> SQLCompiler:
    """The statement that writes `rows` and returns the names of those that were not there."""
    statement = insert_in(dialect, OPERATIONS).from_select(
        [column.name for column in _COLUMNS], rows(dialect, OPERATIONS, "rows")
    )
    returning = statement.on_conflict_do_nothing().returning(_COLUMNS.operation_id)
    return returning.compile(dialect=dialect_of(dialect))


def _insert(connection: Connection, operations: Sequence[Operation]) -> list[str]:
    made = [_row(operation) for operation in operations]
    found = _run(connection, _insertion(connection.dialect.name), {"rows": made})
    return [row[0] for row in found]


def _run(
    connection: Connection, statement: SQLCompiler, lists: Mapping[str, Sequence[object]]
) -> CursorResult[str]:
    """Run a statement whose parameters are lists in JSON."""
    told = {name: msgspec.json.encode(items).decode() for name, items in lists.items()}
    given = statement.construct_params(told)
    if statement.positiontup is None:
        return connection.exec_driver_sql(statement.string, given)
    ordered = tuple(given[name] for name in statement.positiontup)
    return connection.exec_driver_sql(statement.string, ordered)


def _totals(
    step_s: int, facet: ColumnElement[str], source: FromClause, condition: ColumnElement[bool]
) -> Select[tuple[object, ...]]:
    """Rows of totals, in an order that keeps gateways from waiting for each other in a circle."""
    start_s = _COLUMNS.accepted_at_ms // (1000 * step_s) * step_s
    # Callers may write anything as a model; what there is not counts under no name.
    model = case((_COLUMNS.reason == "MODEL_NOT_FOUND", ""), else_=_COLUMNS.model)
    made = (
        literal(step_s).label("step_s"),
        facet.label("facet"),
        start_s.label("start_s"),
        model.label("model"),
    )
    copied = (_COLUMNS[name] for name in ROLLUP_KEYS if name not in {key.name for key in made})
    inner = select(*made, *copied, *measures()).select_from(source).where(condition).subquery()
    grouped = [inner.c[name] for name in ROLLUP_KEYS]
    sums = [func.sum(inner.c[name]).cast(BigInteger) for name in ROLLUP_SUMS]
    return select(*grouped, *sums).group_by(*grouped).order_by(*grouped)


def measures() -> list[ColumnElement[int]]:
    """What one operation adds to each of the sums."""
    row = _COLUMNS
    tokens = row.input_tokens + row.output_tokens
    unpriced = row.cost_nano_usd.is_(None)
    special: dict[str, ColumnElement[int]] = {
        "operations": literal(1),
        "usage_estimated_operations": _one(row.usage_estimated),
        "cost_nano_usd": func.coalesce(row.cost_nano_usd, 0),
        "cost_estimated_operations": _one(row.cost_estimated),
        "unpriced_operations": _one(unpriced),
        "unpriced_tokens": case((unpriced, tokens), else_=0),
        "cache_hits": _one(row.cache_status == "hit"),
        "first_event_us": func.coalesce(row.first_event_us, 0),
        "first_event_operations": _one(row.first_event_us.is_not(None)),
    }
    lower = -1
    for number, upper in enumerate(LATENCY_BOUNDS_US):
        inside = (row.duration_us > lower) & (row.duration_us <= upper)
        special[f"latency_{number}"] = _one(inside)
        lower = upper
    special[f"latency_{len(LATENCY_BOUNDS_US)}"] = _one(row.duration_us > lower)
    return [(special[name] if name in special else row[name]).label(name) for name in ROLLUP_SUMS]


def _one(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


def _store_beside(connection: Connection, operations: Sequence[Operation]) -> None:
    """Tags and texts of operations that are new."""
    tags = [
        {"tag": tag, "operation_id": operation.id}
        for operation in operations
        for tag in dict.fromkeys(bounded(tag, LONGEST_BYTES) for tag in operation.details.tags)
    ]
    if tags:
        connection.execute(insert(connection, OPERATION_TAGS).on_conflict_do_nothing(), tags)
    texts = [
        {"operation_id": operation.id, **_texts(operation.texts.request, operation.texts.answer)}
        for operation in operations
        if operation.texts is not None
    ]
    if texts:
        connection.execute(insert(connection, OPERATION_TEXTS).on_conflict_do_nothing(), texts)


def _texts(request: str, answer: str) -> dict[str, str]:
    return {"request": request.replace("\0", ""), "answer": answer.replace("\0", "")}


def _check(operation: Operation) -> None:
    """Counts come from providers: one that is out of its mind must not make sums overflow."""
    counts = (v for v in msgspec.structs.astuple(operation.usage) if not isinstance(v, str))
    numbers = (operation.cost_nano_usd or 0, operation.duration_us, operation.queue_us, *counts)
    if not all(0 <= number <= LARGEST for number in numbers):
        raise ValueError("a number is out of all proportion")


def _row(operation: Operation) -> dict[str, object]:
    usage: Usage = operation.usage
    return {
        "operation_id": operation.id,
        "accepted_at_ms": operation.accepted_at_ms,
        "method": operation.method,
        "tenant_id": bounded(operation.tenant),
        "project": bounded(operation.project),
        "api_key_id": bounded(operation.key),
        "end_user": bounded(operation.user, LONGEST_BYTES),
        "model": bounded(operation.model, LONGEST_BYTES),
        "provider": bounded(operation.provider),
        "deployment": bounded(operation.deployment, LONGEST_BYTES),
        "upstream_model": bounded(operation.upstream_model, LONGEST_BYTES),
        "outcome": operation.outcome,
        "reason": operation.reason,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "cache_write_input_tokens": usage.cache_write_input_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "audio_input_tokens": usage.audio_input_tokens,
        "audio_output_tokens": usage.audio_output_tokens,
        "usage_estimated": usage.estimated,
        "cost_nano_usd": operation.cost_nano_usd,
        "cost_estimated": operation.cost_estimated,
        "duration_us": operation.duration_us,
        "first_event_us": operation.first_event_us,
        "queue_us": operation.queue_us,
        "cache_status": operation.cache_status,
        "dedupe_status": operation.dedupe_status,
        "trace_id": operation.trace_id,
        "details": msgspec.json.encode(operation.details).decode(),
    }
