"""Keeps answers in the memory of the process, the least recently used ones giving way."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.clock import Clock

OVERHEAD_BYTES: Final = 400
"""What an entry takes beside its value, key and labels; measured, rounded up."""
LABEL_OVERHEAD_BYTES: Final = 200


class _Blob(msgspec.Struct, frozen=True):
    value: bytes
    until: float
    labels: tuple[str, ...]
    size: int


class MemoryBlobs:
    """Implements core.ports.Blobs in at most `max_bytes`, overhead included."""

    def __init__(self, max_bytes: int, clock: Clock) -> None:
        self.size = 0
        self._max_bytes = max_bytes
        self._clock = clock
        self._blobs: OrderedDict[str, _Blob] = OrderedDict()
        self._labelled: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._blobs)

    async def get(self, key: str) -> bytes | None:
        """What was put under `key`, if it is still there."""
        blob = self._blobs.get(key)
        if blob is None:
            return None
        if blob.until <= self._clock.monotonic():
            self._drop(key)
            return None
        self._blobs.move_to_end(key)
        return blob.value

    def put(self, key: str, value: bytes, ttl_s: float, labels: Sequence[str]) -> None:
        """Keep `value`; what is larger than the whole store is not kept."""
        self._drop(key)
        named = tuple(dict.fromkeys(labels))
        size = OVERHEAD_BYTES + len(value) + len(key)
        size += sum(LABEL_OVERHEAD_BYTES + len(label) for label in named)
        if size > self._max_bytes:
            return
        while self.size + size > self._max_bytes:
            self._drop(next(iter(self._blobs)))
        self._blobs[key] = _Blob(value, self._clock.monotonic() + ttl_s, named, size)
        self.size += size
        for label in named:
            self._labelled.setdefault(label, set()).add(key)

    async def remove(self, label: str) -> int:
        """Remove everything with `label`."""
        now = self._clock.monotonic()
        removed = 0
        for key in tuple(self._labelled.get(label, ())):
            removed += self._blobs[key].until > now
            self._drop(key)
        return removed

    def _drop(self, key: str) -> None:
        blob = self._blobs.pop(key, None)
        if blob is None:
            return
        self.size -= blob.size
        for label in blob.labels:
            keys = self._labelled[label]
            keys.discard(key)
            if not keys:
                del self._labelled[label]
