"""One call under its deadline, settled however it ends."""

from __future__ import annotations

import asyncio

import pytest

from interlingua_gateway.core.call import Call, Ending, Phase
from interlingua_gateway.core.errors import CallerError, Reason, UpstreamError
from interlingua_gateway.core.events import Finish, FinishReason, Outcome, TextDelta
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.run import run
from interlingua_gateway.core.types import GenerateRequest

FIRST = (TextDelta(0, "a"), Finish(0, FinishReason.STOP))


class Source:
    def __init__(self) -> None:
        self.closed = 0

    async def next(self):
        return None

    async def aclose(self) -> None:
        self.closed += 1


def a_call(deadline: float | None = None) -> tuple[Call, list[Ending]]:
    call = Call(
        GenerateRequest(model="m", messages=()),
        call_id="op_1",
        method="Generate",
        started=1000.0,
        deadline=deadline,
    )
    endings: list[Ending] = []
    call.defer(lambda _, ending: endings.append(ending))
    return call, endings


async def collect(reply: Reply):
    return await reply.collect()


async def test_a_call_that_ends_well(clock):
    call, endings = a_call()
    source = Source()

    async def handler(_: Call) -> Reply:
        clock.advance(2.5)
        return Reply(Start("d", "p", "m"), FIRST, source)

    answer = await run(call, handler, collect, clock)
    assert answer.candidates[0].parts[0].text == "a"
    assert source.closed == 1
    assert endings == [Ending(outcome=Outcome.OK, duration_s=2.5)]


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (UpstreamError(Reason.UPSTREAM_UNAVAILABLE, "x"), Outcome.FAILED, "UPSTREAM_UNAVAILABLE"),
        (CallerError(Reason.CANCELLED, "x"), Outcome.CANCELLED, "CANCELLED"),
        (ValueError("a bug"), Outcome.FAILED, "INTERNAL"),
        (TimeoutError("not the deadline's"), Outcome.FAILED, "INTERNAL"),
        (asyncio.CancelledError(), Outcome.CANCELLED, "CANCELLED"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
async def test_a_call_that_fails_is_settled_and_its_reply_closed(
    clock, error, outcome, reason, late
):
    call, endings = a_call(deadline=1100.0)
    source = Source()

    async def handler(_: Call) -> Reply:
        if not late:
            raise error
        return Reply(Start("d", "p", "m"), FIRST, source)

    async def consume(reply: Reply) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await run(call, handler, consume, clock)
    assert caught.value is error
    assert source.closed == late
    assert [(ending.outcome, ending.reason) for ending in endings] == [(outcome, reason)]
    assert clock.waiting == 0


@pytest.mark.parametrize("late", [False, True])
async def test_the_deadline_names_the_phase_that_spent_it(clock, late):
    call, endings = a_call(deadline=1010.0)
    source, waiting = Source(), asyncio.Event()

    async def wait(phase: Phase) -> None:
        call.phase = phase
        waiting.set()
        await asyncio.get_running_loop().create_future()

    async def handler(_: Call) -> Reply:
        if not late:
            await wait(Phase.CONNECT)
        return Reply(Start("d", "p", "m"), FIRST, source)

    async def consume(reply: Reply) -> None:
        await wait(Phase.DELIVERY)

    running = asyncio.ensure_future(run(call, handler, consume, clock))
    await waiting.wait()
    clock.advance(10)
    with pytest.raises(CallerError) as caught:
        await running
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert caught.value.metadata == {"phase": "delivery" if late else "connect"}
    assert [(e.outcome, e.reason) for e in endings] == [(Outcome.FAILED, "DEADLINE_EXCEEDED")]
    assert source.closed == late


def test_what_was_deferred_runs_once_last_in_first_out():
    call, _ = a_call()
    order: list[int] = []
    for number in range(3):
        call.defer(lambda _, __, n=number: order.append(n))
    ending = Ending(outcome=Outcome.OK, duration_s=0)
    call.end(ending)
    call.end(ending)
    assert order == [2, 1, 0]
