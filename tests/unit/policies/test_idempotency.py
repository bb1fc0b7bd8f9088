"""Two requests with one idempotency key are one operation."""

from __future__ import annotations

import asyncio

import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.call import Call, DedupeStatus
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.events import Answer
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.run import run
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.policies.flight import Flights
from interlingua_gateway.policies.idempotency import Idempotency
from interlingua_gateway.providers.script import Fail, Say, Wait
from interlingua_gateway.store.memory_blobs import MemoryBlobs
from tests.support.calls import Reader, ask, call, collect, embed, started, until
from tests.support.innermost import Innermost
from tests.support.manual_clock import ManualClock

SCRIPTS = {
    "text": (Say("one two three"),),
    "late": (Say("one"), Wait(1.0), Say(" two")),
    "refused": (Fail(),),
}


class Stage:
    """Idempotency alone, with accounts around it."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.tasks = Tasks()
        self.flights = Flights(self.tasks, clock)
        self.innermost = Innermost(clock, SCRIPTS)
        self.blobs = MemoryBlobs(100_000, clock)
        policy = Idempotency(self.blobs, 60.0, self.flights, Fingerprints(), clock)
        self.handler = stack((Account(), policy), self.innermost)

    async def ask(self, request: object, key: str = "k", **fields: object) -> tuple[Call, Answer]:
        made = call(request, self.clock, idempotency_key=key, **fields)
        return made, await run(made, self.handler, collect, self.clock)


@pytest.fixture
async def stage(clock: ManualClock) -> Stage:
    return Stage(clock)


@pytest.mark.parametrize(
    "request_", [ask(), ask(max_output_tokens=1), embed("a")], ids=["whole", "truncated", "embed"]
)
async def test_the_second_gets_the_first_ones_answer_for_a_while(
    stage: Stage, request_: object
) -> None:
    first, original = await stage.ask(request_)
    second, again = await stage.ask(request_)
    assert again == original
    assert (first.dedupe_status, second.dedupe_status) == (
        DedupeStatus.LEADER,
        DedupeStatus.FOLLOWER,
    )
    assert second.cost == Cost(0)
    assert len(stage.innermost.requests) == 1
    stage.clock.advance(60.0)
    await stage.ask(request_)
    assert len(stage.innermost.requests) == 2


async def test_the_second_joins_the_first_in_flight_streamed_or_not(stage: Stage) -> None:
    reader = Reader()
    made = call(ask("late"), stage.clock, streaming=True, idempotency_key="k")
    first = started(made, stage.handler, reader, stage.clock)
    await until(lambda: reader.text)
    second = asyncio.create_task(stage.ask(ask("late")))
    await until(lambda: stage.clock.waiting and len(stage.flights))
    stage.clock.advance(1.0)
    await first
    _, answer = await second
    assert answer.candidates[0].parts[0].text == reader.text == "one two"
    assert len(stage.innermost.requests) == 1


async def test_another_request_under_the_same_key_is_refused(stage: Stage) -> None:
    flying = asyncio.create_task(stage.ask(ask("late"), streaming=True))
    await until(lambda: stage.clock.waiting)
    with pytest.raises(GatewayError) as in_flight:
        await stage.ask(ask("text"))
    stage.clock.advance(1.0)
    await flying
    with pytest.raises(GatewayError) as afterwards:
        await stage.ask(ask("text"))
    for failure in (in_flight, afterwards):
        assert failure.value.reason is Reason.INVALID_REQUEST
        assert failure.value.violations[0].subject == "idempotency_key"
    assert len(stage.innermost.requests) == 1


async def test_keys_are_a_tenants_own(stage: Stage) -> None:
    await stage.ask(ask())
    await stage.ask(ask(text="other"), caller=Caller(tenant="other"))
    await stage.ask(ask(text="other"), key="other")
    assert len(stage.innermost.requests) == 3


async def test_a_failed_operation_may_be_tried_again(stage: Stage) -> None:
    for _ in range(2):
        with pytest.raises(GatewayError):
            await stage.ask(ask("refused"))
    assert len(stage.innermost.requests) == 2
    await stage.ask(ask("text"))


async def test_a_caller_that_leaves_at_once_leaves_nothing_behind(stage: Stage) -> None:
    reading = asyncio.create_task(stage.ask(ask("late")))
    await until(lambda: len(stage.flights))
    reading.cancel()
    await asyncio.wait({reading})
    await stage.ask(ask("text"))


async def test_without_a_key_nothing_is_kept(stage: Stage) -> None:
    await stage.ask(ask(), key="")
    await stage.ask(ask(), key="")
    assert len(stage.innermost.requests) == 2
    assert len(stage.blobs) == 0
