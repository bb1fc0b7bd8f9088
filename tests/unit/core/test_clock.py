"""Timeouts under a clock that stands still, and tasks that end with their owner."""

from __future__ import annotations

import asyncio

import pytest

from interlingua_gateway.core.clock import SystemClock, Tasks, Timeout


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def bounded(clock, when: float | None, started: asyncio.Event) -> str:
    try:
        with Timeout(clock, when):
            started.set()
            await never()
    except TimeoutError:
        return "timed out"
    return "done"


async def begun(clock, when: float | None) -> asyncio.Task[str]:
    started = asyncio.Event()
    task = asyncio.ensure_future(bounded(clock, when, started))
    await started.wait()
    return task


async def test_it_fires_when_the_time_has_come_and_not_before(clock):
    task = await begun(clock, 1010.0)
    clock.advance(9.9)
    assert clock.waiting == 1
    clock.advance(0.1)
    assert await task == "timed out"
    assert task.cancelling() == 0
    assert clock.waiting == 0


async def test_without_a_time_it_never_fires(clock):
    task = await begun(clock, None)
    assert clock.waiting == 0
    clock.advance(1e9)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_ends_in_time_leaves_no_alarm(clock):
    with Timeout(clock, 1001.0) as bound:
        pass
    clock.advance(5)
    assert clock.waiting == 0
    assert not bound.fired


async def test_a_cancellation_from_outside_passes_through(clock):
    task = await begun(clock, 1010.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.waiting == 0


@pytest.mark.parametrize("outside_first", [True, False])
async def test_a_cancellation_in_the_same_turn_wins(clock, outside_first):
    task = await begun(clock, 1010.0)
    if outside_first:
        task.cancel()
        clock.advance(10)
    else:
        clock.advance(10)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert task.cancelling() == 1


async def test_of_two_the_one_that_fired_raises(clock):
    async def nested(outer: float, inner: float) -> str:
        try:
            with Timeout(clock, outer):
                try:
                    with Timeout(clock, inner):
                        started.set()
                        await never()
                except TimeoutError:
                    return "inner"
        except TimeoutError:
            return "outer"
        return "none"

    for outer, inner, who in ((50, 5, "inner"), (5, 50, "outer")):
        started = asyncio.Event()
        task = asyncio.ensure_future(nested(clock.monotonic() + outer, clock.monotonic() + inner))
        await started.wait()
        clock.advance(6)
        assert await task == who
        assert task.cancelling() == 0


async def test_an_error_of_the_work_is_not_hidden(clock):
    with pytest.raises(ValueError, match="mine"), Timeout(clock, 1010.0):
        raise ValueError("mine")
    assert clock.waiting == 0


async def test_the_systems_clock_keeps_time():
    clock = SystemClock()
    with pytest.raises(TimeoutError), Timeout(clock, clock.monotonic() + 0.01):
        await never()
    with pytest.raises(TimeoutError), Timeout(clock, clock.monotonic() - 1):
        await never()
    assert 0 <= clock.random() < 1
    assert clock.time() > 1_700_000_000


async def test_tasks_are_kept_until_they_end():
    tasks, go = Tasks(), asyncio.Event()
    task = tasks.start(go.wait(), "waits")
    assert (len(tasks), task.get_name()) == (1, "waits")
    go.set()
    await tasks.joined()
    assert (len(tasks), task.result()) == (0, True)


async def test_the_end_cancels_what_runs_and_waits_for_it():
    tasks, cleaned = Tasks(), []

    async def work() -> None:
        try:
            await never()
        finally:
            cleaned.append(True)

    async def fails() -> None:
        raise ValueError("handled by nobody")

    started = [tasks.start(work(), "work") for _ in range(3)]
    failed = tasks.start(fails(), "fails")
    await asyncio.wait({failed})
    await tasks.aclose()
    assert all(task.cancelled() for task in started)
    assert cleaned == [True] * 3
    assert len(tasks) == 0
    assert isinstance(failed.exception(), ValueError)
    await tasks.aclose()
