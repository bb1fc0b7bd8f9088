"""What the ledger keeps of an operation, and the journal through which it gets there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Protocol

import msgspec

from interlingua_gateway.core.call import Warned
from interlingua_gateway.core.events import AttemptRecord, Usage

LONGEST_BYTES: Final = 256
"""Of a model, user or tag: a database indexes no long text."""
SHORT_BYTES: Final = 128
"""Of the other names."""


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What no report adds up; JSON in the database. `usage` has what has no column there."""

    upstream_id: str = ""
    attempts: tuple[AttemptRecord, ...] = ()
    warnings: tuple[Warned, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = {}
    usage: Usage | None = None


class Texts(msgspec.Struct, frozen=True, array_like=True):
    """What was asked and answered, already redacted."""

    request: str
    answer: str


class Operation(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One operation, as it is spooled. A later version may only add fields at the end, with a
    default: segments of an earlier one are read too.

    `outcome` is a value of Outcome; `reason` of Reason, or empty. `cost_nano_usd` is None where the
    price is not known. `model` is the alias that was asked for; the three fields after it are empty
    where nobody answered.
    """

    id: str
    accepted_at_ms: int
    method: str
    tenant: str
    project: str
    key: str
    user: str
    model: str
    provider: str
    deployment: str
    upstream_model: str
    outcome: str
    reason: str
    usage: Usage
    cost_nano_usd: int | None
    cost_estimated: bool
    duration_us: int
    first_event_us: int | None
    queue_us: int
    cache_status: str
    dedupe_status: str
    trace_id: str
    details: Details
    texts: Texts | None = None


class RecordKind(IntEnum):
    """What a record of the journal is of; each kind has a place of its own in the database."""

    OPERATION = 1
    FEEDBACK = 2


class Journal(Protocol):
    """Takes records that must not be lost. It does not wait for any database."""

    def check(self) -> None:
        """To be asked before a call does what would have to be recorded.

        Raises:
            PolicyError: STORE_UNAVAILABLE, there is no room for further records.
        """
        ...

    def append(self, kind: RecordKind, record: bytes) -> None:
        """Keep `record`: when this returns it survives the end of the process. It never raises."""
        ...


class JournalWatch(Protocol):
    """What is told of the journal, for metrics. It must not raise or block."""

    def flushed(self, records: int, at_s: float) -> None:
        """So many records are in the database now, at `at_s` seconds since the epoch."""
        ...

    def failed(self) -> None:
        """The database took nothing; it is tried again."""
        ...

    def lost(self) -> None:
        """A record found no room."""
        ...


def bounded(name: str, longest_bytes: int = SHORT_BYTES) -> str:
    """`name`, or if it is too long its beginning and a digest that tells it from others; without
    NUL characters, which PostgreSQL does not take."""
    name = name.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(name) * 4 <= longest_bytes:
        return name
    data = name.encode()
    if len(data) <= longest_bytes:
        return name
    kept = data[: longest_bytes - 17].decode(errors="ignore")
    return f"{kept}~{hashlib.sha256(data).hexdigest()[:16]}"
