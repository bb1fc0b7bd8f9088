"""Answers in memory: bounded, ageing, removable."""

from __future__ import annotations

from interlingua_gateway.store.memory_blobs import MemoryBlobs
from tests.support.manual_clock import ManualClock


async def test_what_is_put_is_there_until_its_time(clock: ManualClock) -> None:
    blobs = MemoryBlobs(10_000, clock)
    blobs.put("a", b"1", 10.0, ("x",))
    clock.advance(9.9)
    assert await blobs.get("a") == b"1"
    clock.advance(0.1)
    assert await blobs.get("a") is None
    assert (len(blobs), blobs.size) == (0, 0)
    assert await blobs.remove("x") == 0


async def test_the_least_recently_used_give_way(clock: ManualClock) -> None:
    blobs = MemoryBlobs(5_000, clock)
    for name in "abc":
        blobs.put(name, b"x" * 1_000, 10.0, ())
    assert await blobs.get("a") is not None
    blobs.put("d", b"x" * 1_000, 10.0, ())
    assert [name for name in "abcd" if await blobs.get(name)] == ["a", "c", "d"]
    assert blobs.size <= 5_000


async def test_what_is_too_large_is_not_kept_and_replaces_what_was(clock: ManualClock) -> None:
    blobs = MemoryBlobs(1_000, clock)
    blobs.put("a", b"x", 10.0, ("l",))
    blobs.put("a", b"x" * 1_000, 10.0, ("l",))
    assert await blobs.get("a") is None
    assert (len(blobs), blobs.size) == (0, 0)


async def test_putting_again_replaces_value_time_and_labels(clock: ManualClock) -> None:
    blobs = MemoryBlobs(10_000, clock)
    blobs.put("a", b"1", 1.0, ("x",))
    blobs.put("a", b"2", 10.0, ("y", "y"))
    clock.advance(5.0)
    assert await blobs.get("a") == b"2"
    assert await blobs.remove("x") == 0
    assert await blobs.remove("y") == 1
    assert (len(blobs), blobs.size) == (0, 0)


async def test_labels_count_towards_the_bound(clock: ManualClock) -> None:
    blobs = MemoryBlobs(100_000, clock)
    for number in range(1_000):
        blobs.put(str(number), b"", 10.0, (f"operation:{number}", "model:m"))
    kept = len(blobs)
    assert 0 < kept < 250
    assert blobs.size <= 100_000
    assert await blobs.remove("model:m") == kept
    assert (len(blobs), blobs.size) == (0, 0)
