"""The records that one process has put on disk, read in their order and forgotten.

They stand in numbered segments, each record as length, checksum, kind and bytes. The file `lock`
is held locked by whoever reads them; it says up to where they are kept elsewhere.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import struct
from pathlib import Path
from typing import Final, TypeAlias
from zlib import crc32

import msgspec

HEADER: Final = struct.Struct("<IIB")
DAMAGED: Final = "damaged"
"""Folder for copies of segments that cannot be read to their end."""

_POSITION: Final = struct.Struct("<QQ")

Record: TypeAlias = tuple[int, bytes]
"""The kind (a RecordKind, or one of a later version) and the record."""

log = logging.getLogger("interlingua.spool")


class Position(msgspec.Struct, frozen=True, order=True):
    """A place between two records."""

    segment: int = 1
    offset: int = 0


class Reading(msgspec.Struct, frozen=True):
    """Records in their order, and the place after them."""

    records: tuple[Record, ...]
    after: Position


class Share:
    """`directory` must be locked through `lock`, which this takes over."""

    def __init__(self, directory: Path, lock: int) -> None:
        self.directory = directory
        self._lock = lock
        known = os.pread(lock, _POSITION.size, 0)
        self.position = Position(*_POSITION.unpack(known)) if known else Position()

    def read(self, most: int, until: Position | None = None) -> Reading:
        """At most `most` records from `position` on and before `until`.

        What a crash left half written, or a broken disk changed, ends a segment: a copy of it is
        kept for inspection.
        """
        found: list[Record] = []
        place = self.position
        for number in self._numbers():
            if number < place.segment:
                continue
            if len(found) == most or (until is not None and number > until.segment):
                break
            start = place.offset if number == place.segment else 0
            data = self._data(number, start, until)
            taken, size = _records(data, most - len(found))
            found.extend(taken)
            if len(found) < most and size < len(data):
                self._keep_copy(number, len(data) - size)
                size = len(data)
            place = Position(number, start + size)
        return Reading(tuple(found), place)

    def forget(self, after: Position) -> None:
        """All records before `after` are kept elsewhere now."""
        os.pwrite(self._lock, _POSITION.pack(after.segment, after.offset), 0)
        self.position = after
        for number in self._numbers():
            if number < after.segment:
                self.path(number).unlink()

    def rest_bytes(self) -> int:
        """Bytes after `position`."""
        sizes = {number: self.path(number).stat().st_size for number in self._numbers()}
        place = self.position
        passed = min(place.offset, sizes.get(place.segment, 0))
        return sum(size for number, size in sizes.items() if number >= place.segment) - passed

    def path(self, number: int) -> Path:
        """The file of segment `number`."""
        return self.directory / f"{number:08}.segment"

    def segments(self) -> list[Path]:
        """The files of all segments."""
        return [self.path(number) for number in self._numbers()]

    def remove(self) -> None:
        """Remove the directory with all that is in it, and let go of the lock."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let go of the lock: whoever comes next inherits what is left."""
        os.close(self._lock)

    def _numbers(self) -> list[int]:
        return sorted(int(file.stem) for file in self.directory.glob("*.segment"))

    def _data(self, number: int, start: int, until: Position | None) -> bytes:
        with self.path(number).open("rb") as file:
            file.seek(start)
            if until is not None and number == until.segment:
                return file.read(until.offset - start)
            return file.read()

    def _keep_copy(self, number: int, size_bytes: int) -> None:
        path = self.path(number)
        aside = self.directory.parent / DAMAGED
        aside.mkdir(exist_ok=True)
        copy = aside / f"{self.directory.name}-{path.name}"
        shutil.copyfile(path, copy)
        fields = {"bytes": size_bytes, "copy": str(copy)}
        log.error("the end of a segment cannot be read", extra={"fields": fields})


def framed(kind: int, record: bytes) -> bytes:
    """`record` as it stands in a segment."""
    return HEADER.pack(len(record), crc32(record, kind), kind) + record


def locked(directory: Path) -> Share | None:
    """The share in `directory`, or None where its process lives or nothing is there any more."""
    try:
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return Share(directory, lock)


def _records(data: bytes, most: int) -> tuple[list[Record], int]:
    """Whole records at the beginning of `data`, at most `most`, and their size in bytes."""
    found: list[Record] = []
    at = 0
    while len(found) < most and len(data) - at >= HEADER.size:
        size, checksum, kind = HEADER.unpack_from(data, at)
        start = at + HEADER.size
        record = data[start : start + size]
        if len(record) < size or crc32(record, kind) != checksum:
            break
        found.append((kind, record))
        at = start + size
    return found, at
