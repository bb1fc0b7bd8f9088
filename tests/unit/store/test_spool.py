"""What is appended survives: in its order, whole, and until it is forgotten."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlingua_gateway.core.errors import InternalError, PolicyError, Reason
from interlingua_gateway.core.ledger import RecordKind
from interlingua_gateway.store import spool as spool_module
from interlingua_gateway.store.share import DAMAGED, HEADER, Position
from interlingua_gateway.store.spool import Spool

KIND = RecordKind.OPERATION
MANY = 10**9


class Watch:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.flushes: list[int] = []
        self.failures = 0
        self.losses = 0

    def flushed(self, records: int, at_s: float) -> None:
        self.flushes.append(records)

    def failed(self) -> None:
        self.failures += 1

    def lost(self) -> None:
        self.losses += 1


class Spools:
    """Makes spools of one directory; `die` is what the end of a process does to one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.watch = Watch()
        self._made: list[Spool] = []

    def new(self, max_bytes: int = MANY, *, lossy: bool = False) -> Spool:
        made = Spool(self.directory, max_bytes, self.watch, lossy=lossy)
        made.open()
        self._made.append(made)
        return made

    def die(self, spool: Spool) -> None:
        self._made.remove(spool)
        os.close(spool._file)
        spool.own.close()

    def close(self) -> None:
        for spool in self._made:
            spool.close()


@pytest.fixture
def spools(tmp_path: Path) -> Iterator[Spools]:
    made = Spools(tmp_path / "spool")
    yield made
    made.close()


def append(spool: Spool, *records: bytes) -> None:
    for record in records:
        spool.append(KIND, record)


def drain(spool: Spool, most: int = 2) -> list[bytes]:
    """All that was appended, read `most` at a time and forgotten."""
    found: list[bytes] = []
    while spool.own.position < spool.written:
        reading = spool.own.read(most, spool.written)
        assert 0 < len(reading.records) <= most
        found += [record for _, record in reading.records]
        spool.own.forget(reading.after)
        spool.forgotten(reading)
    return found


def inherited(spool: Spool) -> list[bytes]:
    """All that others have left behind, after it was taken over and removed."""
    found = []
    for share in spool.inheritance():
        while share.rest_bytes():
            reading = share.read(1000)
            found += [record for _, record in reading.records]
            share.forget(reading.after)
        share.remove()
    return found


def waits(spool: Spool) -> tuple[int, int]:
    return spool.waiting_records, spool.waiting_bytes


def test_records_come_back_in_their_order_and_once(spools: Spools) -> None:
    spool = spools.new()
    append(spool, b"a", b"", b"c" * 100_000)
    spool.append(RecordKind.FEEDBACK, b"d")
    assert waits(spool) == (4, 4 * HEADER.size + 100_002)
    reading = spool.own.read(10, spool.written)
    assert [kind for kind, _ in reading.records] == [1, 1, 1, 2]
    assert drain(spool) == [b"a", b"", b"c" * 100_000, b"d"]
    assert waits(spool) == (0, 0)
    append(spool, b"e")
    assert drain(spool) == [b"e"]


def test_segments_are_removed_when_they_are_forgotten(
    spools: Spools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 100)
    spool = spools.new()
    records = [bytes([n]) * 40 for n in range(9)]
    append(spool, *records)
    assert len(list(spool.own.directory.glob("*.segment"))) == 5
    assert drain(spool, 3) == records
    assert len(list(spool.own.directory.glob("*.segment"))) == 1


def test_what_a_process_leaves_behind_is_inherited_once(spools: Spools) -> None:
    first, second = spools.new(), spools.new()
    append(first, b"a", b"b", b"c")
    reading = first.own.read(1, first.written)
    first.own.forget(reading.after)
    assert inherited(second) == []
    spools.die(first)
    assert inherited(second) == [b"b", b"c"]
    assert inherited(second) == []
    assert not second.neighbours()


def test_an_inheritance_is_read_by_one_process_at_a_time(spools: Spools) -> None:
    first, second, third = spools.new(), spools.new(), spools.new()
    append(first, b"a")
    spools.die(first)
    (share,) = second.inheritance()
    assert list(third.inheritance()) == []
    share.close()
    assert inherited(third) == [b"a"]


@pytest.mark.parametrize("lost_bytes", range(1, HEADER.size + 6))
def test_a_record_that_a_crash_cut_off_is_passed_over(spools: Spools, lost_bytes: int) -> None:
    first, second = spools.new(), spools.new()
    append(first, b"whole", b"torn!")
    size = first.written.offset
    spools.die(first)
    os.truncate(first.own.path(1), size - lost_bytes)
    assert inherited(second) == [b"whole"]


def test_damage_costs_the_rest_of_one_segment_and_a_copy_is_kept(
    spools: Spools, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 60)
    first, second = spools.new(), spools.new()
    append(first, *(bytes([n]) * 20 for n in range(4)))
    spools.die(first)
    data = bytearray(first.own.path(1).read_bytes())
    data[-1] ^= 1
    first.own.path(1).write_bytes(data)
    assert inherited(second) == [bytes([n]) * 20 for n in (0, 2, 3)]
    (copy,) = (second.own.directory.parent / DAMAGED).iterdir()
    assert copy.read_bytes() == data
    (line,) = caplog.records
    assert line.fields["bytes"] == HEADER.size + 20
    assert inherited(second) == []


def test_a_full_spool_refuses_calls_and_keeps_what_comes_nevertheless(spools: Spools) -> None:
    spool = spools.new(max_bytes=100)
    turns: list[bool] = []
    spool.on_turn(lambda: turns.append(spool.full))
    append(spool, b"x" * 90)
    spool.check()
    assert turns == []
    append(spool, b"x" * 90)
    assert turns == [True]
    with pytest.raises(PolicyError) as refused:
        spool.check()
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert refused.value.retry_after_s
    append(spool, b"y")
    assert drain(spool)[-1] == b"y"
    spool.check()
    assert turns == [True, False]
    assert spools.watch.losses == 0


def test_a_full_lossy_spool_counts_what_it_loses(
    spools: Spools, caplog: pytest.LogCaptureFixture
) -> None:
    spool = spools.new(max_bytes=100, lossy=True)
    append(spool, b"x" * 100, b"y", b"z")
    spool.check()
    assert spools.watch.losses == 2
    assert len(caplog.records) == 1
    assert drain(spool) == [b"x" * 100]
    append(spool, b"a")
    assert drain(spool) == [b"a"]


def test_a_full_disk_keeps_records_in_memory_and_refuses(
    spools: Spools, caplog: pytest.LogCaptureFixture
) -> None:
    spool = spools.new()
    append(spool, b"a")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Half of the next record fits; SIGXFSZ is ignored by Python.
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool.written.offset + 20, limit[1]))
    try:
        append(spool, b"b" * 30, b"c")
        with pytest.raises(PolicyError):
            spool.check()
        assert spool.waiting_records == 3
        assert spool.own.path(1).stat().st_size == spool.written.offset
        assert not spool.catch_up()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert spool.catch_up()
    spool.check()
    assert caplog.messages[2:] == ["calls can be recorded again"]
    append(spool, b"d")
    assert drain(spool) == [b"a", b"b" * 30, b"c", b"d"]


def test_a_full_disk_has_room_for_the_note_of_what_is_kept_elsewhere(spools: Spools) -> None:
    """Without it no segment could ever be removed, and the disk would stay full."""
    spool = spools.new()
    assert (spool.own.directory / "lock").stat().st_size > 0
    assert spool.own.position == Position()


def test_what_waits_can_be_synced_at_any_time(
    spools: Spools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 60)
    spool = spools.new()
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append(os.fstat(file).st_size))
    append(spool, *(bytes([n]) * 20 for n in range(5)))
    spool.sync()
    assert synced == [58, 58, 29]
    drain(spool)
    spool.own.path(3).unlink()
    spool.sync()


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InternalError) as failed:
        Spool(file / "spool", MANY, Watch(), lossy=False).open()
    assert "data_dir" in failed.value.message


def test_a_clean_end_leaves_nothing_or_what_waits(tmp_path: Path) -> None:
    spools = Spools(tmp_path)
    empty, waiting = spools.new(), spools.new()
    append(waiting, b"a")
    spools.close()
    assert not empty.own.directory.exists()
    assert inherited(Spools(tmp_path).new()) == [b"a"]


CHILD = """
import os, signal, sys
from pathlib import Path
from interlingua_gateway.core.ledger import RecordKind
from interlingua_gateway.store.spool import Spool
from tests.unit.store.test_spool import Watch
spool = Spool(Path(sys.argv[1]), 10**9, Watch(), lossy=False)
spool.open()
for n in range(1000):
    spool.append(RecordKind.OPERATION, b"%d" % n)
    os.write(1, b"%d\\n" % n)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_appended_survives_a_kill(spools: Spools) -> None:
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(spools.directory)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert child.returncode == -9
    told = child.stdout.split()
    assert len(told) == 1000
    assert inherited(spools.new()) == told


def test_a_position_is_known_after_a_kill(spools: Spools) -> None:
    spool = spools.new()
    append(spool, b"a", b"b")
    reading = spool.own.read(1, spool.written)
    spool.own.forget(reading.after)
    spools.die(spool)
    (share,) = spools.new().inheritance()
    assert share.position == reading.after > Position()
    share.close()
