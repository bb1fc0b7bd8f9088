"""The journal on disk: what is appended survives the process, until a database has it."""

from __future__ import annotations

import fcntl
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from interlingua_gateway.core.errors import InternalError, PolicyError, Reason
from interlingua_gateway.core.ledger import JournalWatch, RecordKind
from interlingua_gateway.store.share import (
    DAMAGED,
    HEADER,
    Position,
    Reading,
    Share,
    framed,
    locked,
)

SEGMENT_BYTES: Final = 4 * 1024 * 1024
RETRY_AFTER_S: Final = 5.0
IN_MEMORY_BYTES: Final = 16 * 1024 * 1024

log = logging.getLogger("interlingua.spool")


class Spool:
    """A directory that processes share; each one writes in a folder of its own.

    A record is handed to the kernel by one write(2) before `append` returns. When `max_bytes` wait
    for the database, or the disk takes no more, `check` refuses; what is appended nevertheless is
    written as long as the disk takes it, and else waits in memory. With `lossy`, `check` never
    refuses, and records that find no room are counted as lost.
    """

    def __init__(
        self, directory: Path, max_bytes: int, watch: JournalWatch, *, lossy: bool
    ) -> None:
        """Nothing is touched yet: see `open`."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._watch = watch
        self._lossy = lossy
        self._told_full = False
        self._memory: deque[bytes] = deque()
        self._memory_bytes = 0
        self._woken: Callable[[], None] = lambda: None
        self._turned: Callable[[], None] = lambda: None
        self._was_full = False
        self.waiting_records = 0
        self.waiting_bytes = 0
        self.written = Position()
        self.own: Share
        self._file: int

    def open(self) -> None:
        """Begin; to be called before anything else.

        Raises:
            InternalError: the directory cannot be written.
        """
        try:
            self.own = _own(self._directory)
            self._file = self._opened(1)
        except OSError as error:
            raise InternalError(
                f"The spool of the ledger cannot be written: {self._directory} ({error.strerror}). "
                "Set data_dir to a directory of the gateway's own, or ledger.enabled to false."
            ) from error

    @property
    def full(self) -> bool:
        """Whether `check` refuses."""
        return not self._lossy and (bool(self._memory) or self.waiting_bytes >= self._max_bytes)

    def check(self) -> None:
        """See Journal."""
        if not self.full:
            return
        raise PolicyError(
            Reason.STORE_UNAVAILABLE,
            "The gateway can record no further calls: its database does not take them, and the "
            "spool or the disk before it is full. Send the call again later.",
            retry_after_s=RETRY_AFTER_S,
        )

    def append(self, kind: RecordKind, record: bytes) -> None:
        """See Journal."""
        data = framed(kind, record)
        if self._lossy and self.waiting_bytes >= self._max_bytes:
            self._lose()
            return
        self.waiting_records += 1
        self.waiting_bytes += len(data)
        if self._memory or not self._write(data):
            self._remember(data)
        self._woken()
        self._look()

    def on_append(self, woken: Callable[[], None]) -> None:
        """Call `woken` after each record; it must not raise or block."""
        self._woken = woken

    def on_turn(self, turned: Callable[[], None]) -> None:
        """Call `turned` whenever `full` has changed; it must not raise or block."""
        self._turned = turned

    def catch_up(self) -> bool:
        """Write what waits in memory, as far as the disk takes it; whether it has taken all."""
        while self._memory and self._write(self._memory[0]):
            self._memory_bytes -= len(self._memory.popleft())
        self._look()
        return not self._memory

    def forgotten(self, reading: Reading) -> None:
        """The records of `reading` were read from `own` and forgotten there."""
        self.waiting_records -= len(reading.records)
        self.waiting_bytes -= sum(HEADER.size + len(record) for _, record in reading.records)
        self._told_full = self._told_full and self.waiting_bytes >= self._max_bytes
        self._look()

    def neighbours(self) -> bool:
        """Whether there are folders of other processes; they may have ended."""
        return any(True for _ in self._others())

    def inheritance(self) -> Iterator[Share]:
        """What processes left behind that have ended; the caller removes or closes each."""
        for folder in self._others():
            if (share := locked(folder)) is not None:
                yield share

    def sync(self) -> None:
        """Have the kernel put on disk what was appended: it then survives a power failure too.

        May run beside anything else; a disk that fails here fails elsewhere more loudly.
        """
        for path in self.own.segments():
            with suppress(OSError):
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fdatasync(file)
                finally:
                    os.close(file)

    def close(self) -> None:
        """Let go of everything; what is not forgotten stays for the next process."""
        self.catch_up()
        os.close(self._file)
        if self.waiting_records:
            self.own.close()
        else:
            self.own.remove()

    def _look(self) -> None:
        if self.full is self._was_full:
            return
        self._was_full = not self._was_full
        if self._was_full:
            log.error("no further calls can be recorded; they are refused")
        else:
            log.warning("calls can be recorded again")
        self._turned()

    def _others(self) -> Iterator[Path]:
        for folder in sorted(self._directory.iterdir()):
            hidden = folder.name.startswith(".") or folder.name == DAMAGED
            if not hidden and folder != self.own.directory and folder.is_dir():
                yield folder

    def _write(self, data: bytes) -> bool:
        try:
            if self.written.offset and self.written.offset + len(data) > SEGMENT_BYTES:
                self._next_segment()
            if os.write(self._file, data) != len(data):
                os.ftruncate(self._file, self.written.offset)
                return False
        except OSError:
            return False
        self.written = Position(self.written.segment, self.written.offset + len(data))
        return True

    def _next_segment(self) -> None:
        number = self.written.segment + 1
        file = self._opened(number)
        os.close(self._file)
        self._file = file
        self.written = Position(number, 0)

    def _opened(self, number: int) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self.own.path(number), flags, 0o600)

    def _remember(self, data: bytes) -> None:
        if self._memory_bytes + len(data) > IN_MEMORY_BYTES:
            self.waiting_records -= 1
            self.waiting_bytes -= len(data)
            self._lose()
            return
        if not self._memory:
            log.error("the disk takes no further records")
        self._memory.append(data)
        self._memory_bytes += len(data)

    def _lose(self) -> None:
        self._watch.lost()
        if not self._told_full:
            self._told_full = True
            log.error("records are lost: the spool is full", extra={"fields": {"spool": "full"}})


def _own(directory: Path) -> Share:
    """A new folder; it gets its name when it is locked already."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    hidden = Path(mkdtemp(prefix=f".{os.getpid()}-", dir=directory))
    lock = os.open(hidden / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    share = Share(hidden.rename(directory / hidden.name.removeprefix(".")), lock)
    # The note of what is kept elsewhere has its place on the disk before that is full.
    share.forget(share.position)
    return share
