"""What the end of a gateway waits for, and for how long."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from interlingua_gateway.app.engine import CLOSE_S
from tests.support.gateway import running, scripted
from tests.support.manual_clock import ManualClock


async def test_a_database_that_does_not_answer_is_not_waited_for(
    clock: ManualClock, tmp_path: Path
) -> None:
    begun, answers = threading.Event(), threading.Event()

    def never_ends(connection: object) -> bool:
        begun.set()
        return answers.wait(30)

    async def pass_time() -> None:
        while True:
            await clock.until_waiting(between_s=(0, CLOSE_S))
            clock.advance(CLOSE_S)

    async with running(scripted(), tmp_path, clock) as gateway:
        database = await gateway.built.databases.open()
        asked = asyncio.ensure_future(database.write(never_ends))
        assert await asyncio.to_thread(begun.wait, 10)
        passing = asyncio.ensure_future(pass_time())
    passing.cancel()
    assert not asked.done()
    answers.set()
    assert await asked
