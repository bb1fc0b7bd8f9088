"""Hedging: a second attempt starts when the first is slow, and the faster one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Never, TypeAlias

from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.route.attempts import Opened

Open: TypeAlias = Callable[[], Coroutine[object, Never, Opened]]
Running: TypeAlias = asyncio.Task[Opened]


async def race(
    first: Open, second: Callable[[], Open | None], delay_s: float, clock: Clock
) -> Opened:
    """The answer of whichever attempt has its first event first; the other is cancelled at once.

    `second` is asked after `delay_s` without an event, and may say that there is to be none. A
    failure before that is raised as it is; of two failures, that of the first attempt.

    Raises:
        GatewayError: no attempt answered.
    """
    tasks = Tasks()
    runners = [tasks.start(first(), "first")]
    winner: Running | None = None
    try:
        delay = tasks.start(clock.sleep(delay_s), "hedge")
        await asyncio.wait({runners[0], delay}, return_when=asyncio.FIRST_COMPLETED)
        hedge = None if runners[0].done() else second()
        if hedge is not None:
            runners.append(tasks.start(hedge(), "second"))
        found = await _fastest(runners)
        await tasks.aclose()
        winner = found
        return winner.result()
    finally:
        await tasks.aclose()
        for runner in runners:
            if runner is not winner and _answered(runner):
                await runner.result().reject()


async def _fastest(runners: Sequence[Running]) -> Running:
    """The first of `runners` that has answered, or the first of all when every one has failed."""
    waiting = set(runners)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        answered = [runner for runner in runners if runner in done and _answered(runner)]
        if answered:
            return answered[0]
    return runners[0]


def _answered(runner: Running) -> bool:
    return runner.done() and not runner.cancelled() and runner.exception() is None
