"""A journal that is a list."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.errors import PolicyError, Reason
from interlingua_gateway.core.ledger import Operation, RecordKind


class Kept:
    """A journal that keeps everything; `full` makes it refuse."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.full = False

    def check(self) -> None:
        if self.full:
            raise PolicyError(Reason.STORE_UNAVAILABLE, "full")

    def append(self, kind: RecordKind, record: bytes) -> None:
        assert kind is RecordKind.OPERATION
        self.records.append(record)

    @property
    def operations(self) -> list[Operation]:
        return [msgspec.msgpack.decode(record, type=Operation) for record in self.records]
