"""What a call used: measured where the provider says it, estimated where it does not."""

from __future__ import annotations

import pytest

from interlingua_gateway.core.call import Call, Phase, ending_of
from interlingua_gateway.core.errors import CallerError, Reason, UpstreamError
from interlingua_gateway.core.events import (
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenCount,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)
from interlingua_gateway.core.prices import Cost, LongContext, Price
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import CountRequest, GenerateRequest, Message, Role, Text
from interlingua_gateway.policies.account import REPORT_EVERY_DELTAS, Account

START = Start("d", "p", "m")
TARGET = Target(
    deployment="d",
    provider="p",
    model="m",
    label="d",
    price=Price(input=1_000_000, output=2_000_000),
)
REQUEST = GenerateRequest(
    model="m", messages=(Message(role=Role.USER, parts=(Text(text="12345678"),)),)
)
INPUT = 6  # two tokens of text and four of the message itself
MEASURED = UsageUpdate(Usage(100, 7))
END = Finish(0, FinishReason.STOP)


class Batches:
    """The rest of a reply, from a list."""

    def __init__(self, *batches) -> None:
        self._batches = list(batches)

    async def next(self):
        return self._batches.pop(0) if self._batches else None

    async def aclose(self) -> None:
        pass


def a_call(request=REQUEST) -> Call:
    call = Call(request, call_id="op", method="Generate", started=0)
    call.target = TARGET
    return call


async def through(call: Call, *batches, error: BaseException | None = None) -> list[object]:
    """Every event that passes the policy; the call then ends with `error`."""
    first, *rest = batches

    async def inner(_: Call) -> Reply:
        return Reply(START, first, Batches(*rest))

    reply = await Account()(call, inner)
    events = [event async for batch in reply for event in batch]
    call.end(ending_of(error, 1.0))
    return events


async def test_a_measurement_is_taken_as_it_is():
    call = a_call()
    events = await through(call, (TextDelta(0, "hello"),), (END, MEASURED))
    assert events == [TextDelta(0, "hello"), END, MEASURED]
    assert call.usage == MEASURED.usage
    assert call.cost == Cost(100 * 1000 + 7 * 2000)


async def test_the_last_measurement_counts():
    call = a_call()
    await through(call, (UsageUpdate(Usage(100, 1)),), (TextDelta(0, "x" * 400), MEASURED))
    assert call.usage == MEASURED.usage


async def test_without_a_measurement_it_is_estimated_at_the_end():
    call = a_call()
    await through(
        call,
        (TextDelta(0, "abcd"), ReasoningDelta(0, "abcd")),
        (ToolCallDelta(0, 0, "1", "f", "abcdefgh"), END),
    )
    assert call.usage == Usage(INPUT, 4, estimated=True)
    assert call.cost == Cost(INPUT * 1000 + 4 * 2000, estimated=True)


async def test_text_after_the_last_measurement_is_estimated_on_top_of_it():
    call = a_call()
    broken = UpstreamError(Reason.STREAM_BROKEN, "x")
    await through(call, (TextDelta(0, "abcd"), MEASURED), (TextDelta(0, "abcd"),), error=broken)
    assert call.usage == Usage(100, 8, estimated=True)


async def test_a_long_answer_says_what_was_used_so_far():
    call = a_call()
    words = [(TextDelta(0, "abcd"),)] * (2 * REPORT_EVERY_DELTAS + 1)
    events = await through(call, *words, (MEASURED,))
    usages = [event.usage for event in events if isinstance(event, UsageUpdate)]
    assert usages == [
        Usage(INPUT, REPORT_EVERY_DELTAS, estimated=True),
        Usage(INPUT, 2 * REPORT_EVERY_DELTAS, estimated=True),
        MEASURED.usage,
    ]


async def test_the_cost_rises_as_tokens_pass_and_is_settled_by_the_measurement():
    call = a_call()
    costs = []
    words = [(TextDelta(0, "abcd"),)] * (2 * REPORT_EVERY_DELTAS)

    async def inner(_: Call) -> Reply:
        return Reply(START, words[0], Batches(*words[1:], (MEASURED,)))

    reply = await Account()(call, inner)
    async for _ in reply:
        if call.cost is not None and call.cost not in costs:
            costs.append(call.cost)
    call.end(ending_of(None, 1.0))
    assert costs == [
        Cost(INPUT * 1000 + REPORT_EVERY_DELTAS * 2000, estimated=True),
        Cost(INPUT * 1000 + 2 * REPORT_EVERY_DELTAS * 2000, estimated=True),
        Cost(100 * 1000 + 7 * 2000),
    ]
    assert call.cost == costs[-1]


async def test_a_long_request_and_its_level_of_service_have_their_own_price():
    call = a_call()
    long = LongContext(above_input_tokens=99, price=Price(input=3_000_000, output=0))
    price = Price(
        input=1_000_000,
        output=0,
        long_context=(long,),
        service_tiers=(("flex", Price(input=500_000, output=0)),),
    )
    call.target = Target(deployment="d", provider="p", model="m", label="d", price=price)
    await through(call, (MEASURED,))
    assert call.cost == Cost(300_000)
    flex = a_call()
    flex.target = call.target
    await through(flex, (UsageUpdate(Usage(100, 7, service_tier="flex")),))
    assert flex.cost == Cost(50_000)


async def test_without_a_price_there_is_no_cost():
    call = a_call()
    call.target = Target(deployment="d", provider="p", model="m", label="d")
    await through(call, (MEASURED,))
    assert (call.usage, call.cost) == (MEASURED.usage, None)


@pytest.mark.parametrize(
    ("phase", "reason", "used"),
    [
        (Phase.FIRST_TOKEN, Reason.CANCELLED, True),
        (Phase.FIRST_TOKEN, Reason.DEADLINE_EXCEEDED, True),
        (Phase.FIRST_TOKEN, Reason.UPSTREAM_TIMEOUT, True),
        (Phase.FIRST_TOKEN, Reason.UPSTREAM_RATE_LIMITED, False),
        (Phase.CONNECT, Reason.CANCELLED, False),
        (Phase.CONNECT, Reason.DEADLINE_EXCEEDED, False),
        (Phase.ADMISSION, Reason.INVALID_REQUEST, False),
    ],
)
async def test_what_failed_before_its_first_event_may_have_used_its_input(phase, reason, used):
    call = a_call()
    error = CallerError(reason, "x")

    async def inner(_: Call) -> Reply:
        call.phase = phase
        raise error

    with pytest.raises(CallerError):
        await Account()(call, inner)
    call.end(ending_of(error, 1.0))
    assert call.usage == (Usage(INPUT, 0, estimated=True) if used else None)


async def test_counting_tokens_uses_none():
    call = a_call(CountRequest(request=REQUEST))
    await through(call, (TokenCount(5, estimated=False),))
    assert call.usage is None
