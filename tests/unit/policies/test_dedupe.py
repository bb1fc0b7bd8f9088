"""Identical calls in flight: one upstream call, many readers, each with a life of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.call import Call, DedupeStatus
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.types import GenerateRequest
from interlingua_gateway.core.wishes import CacheMode, Caching, Caller
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.dedupe import Dedupe, DedupeRule
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.policies.flight import Flights
from interlingua_gateway.providers.script import Fail, Hang, Say, Wait
from tests.support.calls import Reader, ask, call, started, until
from tests.support.innermost import Innermost
from tests.support.manual_clock import ManualClock

SCRIPTS = {
    "slow": (Say("one two three", pause_s=1.0),),
    "late": (Wait(1.0), Say("one")),
    "refused": (Wait(1.0), Fail(Reason.UPSTREAM_RATE_LIMITED, "slow down", 7.0)),
    "broken": (Say("one"), Wait(1.0), Fail()),
    "stalled": (Say("one"), Hang()),
}


class Stage:
    """Deduplication of every model, with accounts around it."""

    def __init__(self, clock: ManualClock, *, sampled: bool = True) -> None:
        self.clock = clock
        self.tasks = Tasks()
        self.flights = Flights(self.tasks, clock)
        self.innermost = Innermost(clock, SCRIPTS)
        rule = DedupeRule(configuration="c", sampled=sampled)
        dedupe = Dedupe(Aliases(dict.fromkeys(SCRIPTS, rule)), self.flights, Fingerprints())
        self.handler = stack((Account(), dedupe), self.innermost)

    def read(
        self, request: GenerateRequest, streaming: bool = True, **fields: object
    ) -> tuple[Call, Reader, asyncio.Task[None]]:
        made = call(request, self.clock, streaming=streaming, **fields)
        reader = Reader()
        return made, reader, started(made, self.handler, reader, self.clock)

    async def step(self) -> None:
        """The script goes on by one pause."""
        await self.clock.until_waiting()
        self.clock.advance(1.0)


@pytest.fixture
async def stage(clock: ManualClock) -> AsyncIterator[Stage]:
    made = Stage(clock)
    yield made
    await until(lambda: not (made.innermost.open or len(made.flights) or len(made.tasks)))


async def test_a_later_caller_gets_what_has_come_and_then_follows(stage: Stage) -> None:
    first, leader, leading = stage.read(ask("slow"))
    await until(lambda: leader.text == "one")
    await stage.step()
    await until(lambda: leader.text == "one two")
    second, follower, following = stage.read(ask("slow"))
    await until(lambda: follower.text == "one two")
    assert len(follower.batches) == 1
    await stage.step()
    await asyncio.gather(leading, following)
    assert leader.text == follower.text == "one two three"
    assert len(stage.innermost.requests) == 1
    assert first.dedupe_status is DedupeStatus.LEADER
    assert second.dedupe_status is DedupeStatus.FOLLOWER
    assert (first.cost, second.cost) == (Cost(3), Cost(0))
    assert first.usage == second.usage


async def test_a_leader_that_leaves_does_not_end_the_flight_and_its_heir_pays(
    stage: Stage,
) -> None:
    first, leader, leading = stage.read(ask("slow"))
    second, follower, following = stage.read(ask("slow"))
    third, _, further = stage.read(ask("slow"))
    await until(lambda: leader.text and follower.text)
    leading.cancel()
    await asyncio.wait({leading})
    await stage.step()
    await stage.step()
    await asyncio.gather(following, further)
    assert follower.text == "one two three"
    assert [made.cost for made in (first, second, third)] == [Cost(0), Cost(3), Cost(0)]


async def test_the_last_to_leave_ends_the_upstream(stage: Stage) -> None:
    readings = [stage.read(ask("stalled")) for _ in range(5)]
    await until(lambda: all(reader.text for _, reader, _ in readings))
    for _, _, reading in readings[:-1]:
        reading.cancel()
    await asyncio.wait({reading for _, _, reading in readings[:-1]})
    assert stage.innermost.open == 1
    readings[-1][2].cancel()
    await until(lambda: not stage.innermost.open)


async def test_who_comes_after_the_last_has_left_begins_anew(stage: Stage) -> None:
    _, reader, reading = stage.read(ask("stalled"))
    await until(lambda: reader.text)
    reading.cancel()
    await asyncio.wait({reading})
    made, _, again = stage.read(ask("stalled"))
    await until(lambda: len(stage.innermost.requests) == 2)
    assert made.dedupe_status is DedupeStatus.LEADER
    again.cancel()


async def test_each_caller_has_its_own_deadline(stage: Stage) -> None:
    now = stage.clock.monotonic()
    _, leader, leading = stage.read(ask("slow"), deadline=now + 1.5)
    _, follower, following = stage.read(ask("slow"), deadline=now + 10)
    await until(lambda: leader.text and follower.text)
    await stage.step()
    await until(lambda: leader.text == "one two")
    await stage.step()
    with pytest.raises(GatewayError) as failure:
        await leading
    assert failure.value.reason is Reason.DEADLINE_EXCEEDED
    await following
    assert follower.text == "one two three"


@pytest.mark.parametrize(("model", "text"), [("refused", ""), ("broken", "one")])
async def test_a_failure_reaches_all_each_as_its_own(stage: Stage, model: str, text: str) -> None:
    readings = [stage.read(ask(model)) for _ in range(3)]
    await until(lambda: stage.innermost.open)
    await stage.step()
    failures = await asyncio.gather(*(task for _, _, task in readings), return_exceptions=True)
    assert {type(failure).__name__ for failure in failures} == {"UpstreamError"}
    assert len({id(failure) for failure in failures}) == 3
    assert [reader.text for _, reader, _ in readings] == [text] * 3
    assert len(stage.innermost.requests) == 1


async def test_a_slow_reader_holds_up_nobody(stage: Stage) -> None:
    gate = asyncio.Event()
    slow_reader = Reader()

    async def slowly(reply: object) -> None:
        slow_reader.batches.append(await reply.next())
        await gate.wait()
        await slow_reader(reply)

    slow = started(
        call(ask("slow"), stage.clock, streaming=True), stage.handler, slowly, stage.clock
    )
    _, quick_reader, quick = stage.read(ask("slow"))
    await until(lambda: slow_reader.text and quick_reader.text)
    await stage.step()
    await stage.step()
    await quick
    assert quick_reader.text == "one two three"
    assert slow_reader.text == "one"
    gate.set()
    await slow
    assert slow_reader.text == "one two three"
    assert len(slow_reader.batches) == 2


@pytest.mark.parametrize(
    ("request_fields", "call_fields"),
    [
        ({"text": "other"}, {}),
        ({"temperature": 0.5}, {}),
        ({}, {"caller": Caller(tenant="other")}),
        ({}, {"streaming": False}),
        ({}, {"caching": Caching(mode=CacheMode.BYPASS)}),
        ({}, {"caching": Caching(mode=CacheMode.REFRESH)}),
    ],
)
async def test_what_is_not_joined(
    stage: Stage, request_fields: dict[str, object], call_fields: dict[str, object]
) -> None:
    _, _, one = stage.read(ask("late"))
    _, _, two = stage.read(ask("late", **request_fields), **call_fields)
    await until(lambda: len(stage.innermost.requests) == 2)
    await stage.clock.until_waiting(2)
    stage.clock.advance(1.0)
    await asyncio.gather(one, two)


@pytest.mark.parametrize(
    ("fields", "calls"),
    [
        ({}, 2),
        ({"temperature": 0.7}, 2),
        ({"temperature": 0.0}, 1),
        ({"temperature": 0.7, "seed": 1}, 1),
        ({"temperature": 0.0, "n": 2}, 2),
    ],
)
async def test_sampled_answers_are_the_callers_own_where_configured(
    clock: ManualClock, fields: dict[str, object], calls: int
) -> None:
    stage = Stage(clock, sampled=False)
    readings = [stage.read(ask("late", **fields))[2] for _ in range(2)]
    await until(lambda: len(stage.innermost.requests) == calls)
    await clock.until_waiting(calls)
    clock.advance(1.0)
    await asyncio.gather(*readings)
    assert len(stage.innermost.requests) == calls
