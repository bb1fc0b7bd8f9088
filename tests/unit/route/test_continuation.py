"""Streams that break and are gone on with by another target."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.events import AttemptMade, UsageUpdate
from interlingua_gateway.core.run import run
from interlingua_gateway.core.types import FormatKind, GenerateRequest, ResponseFormat, Role
from interlingua_gateway.policies.account import Account
from interlingua_gateway.providers.script import CallTool, Fail, Hang, Say, Script
from tests.support.calls import Reader, ask
from tests.support.manual_clock import ManualClock
from tests.support.routing import Stage, model, priced, wishing

BROKEN: Script = (Say("one two"), Fail(Reason.UPSTREAM_UNAVAILABLE, "gone"))
MODEL = model("m", priced("a", 1.0, 2.0), priced("b", 10.0, 20.0), priced("c", 1.0))


async def read(stage: Stage, call: Call) -> Reader:
    reader = Reader()
    await run(call, stack((Account(),), stage.dispatch), reader, stage.clock)
    return reader


def allowed(clock: ManualClock, **fields: object) -> Call:
    return wishing(clock=clock, streaming=True, continue_broken_stream=True, **fields)


async def test_another_target_goes_on_and_the_stream_tells(clock: ManualClock) -> None:
    stage = Stage(clock, MODEL, scripts={"a": BROKEN, "b": (Say(" three"),)})
    call = allowed(clock, request=ask("m", "count", max_output_tokens=10))
    reader = await read(stage, call)
    assert reader.text == "one two three"
    events = [event for batch in reader.batches for event in batch]
    told = [event.record for event in events if isinstance(event, AttemptMade)]
    assert [(r.deployment, str(r.outcome), r.reason) for r in told] == [
        ("a", "failed", "UPSTREAM_UNAVAILABLE"),
        ("b", "ok", ""),
    ]
    rest = stage.upstream.requests[1]
    assert isinstance(rest, GenerateRequest)
    assert [message.role for message in rest.messages] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert rest.messages[1].parts[0].text == "one two"
    assert rest.sampling.max_output_tokens == 8


async def test_both_are_paid_for(clock: ManualClock) -> None:
    stage = Stage(clock, MODEL, scripts={"a": BROKEN, "b": (Say(" three"),)})
    call = allowed(clock, request=ask("m", "count"))
    reader = await read(stage, call)
    # a: "count" and 4 for its message are 6 tokens in, "one two" 2 out, estimated; b as it says.
    first, second = call.attempts
    assert first.usage is not None
    assert (first.usage.input_tokens, first.usage.output_tokens) == (6, 2)
    assert first.cost_nano_usd == 6 * 1000 + 2 * 2000
    (last,) = [e.usage for batch in reader.batches for e in batch if isinstance(e, UsageUpdate)]
    assert call.usage == last
    assert last.output_tokens == 2 + 1
    own_input = last.input_tokens - 6
    assert call.cost is not None
    assert call.cost.nano_usd == first.cost_nano_usd + own_input * 10_000 + 1 * 20_000
    assert call.cost.estimated
    assert second.usage is None


async def test_it_may_break_again(clock: ManualClock) -> None:
    scripts = {"a": BROKEN, "b": (Say(" three"), Fail()), "c": (Say(" four"),)}
    stage = Stage(clock, MODEL, scripts=scripts)
    reader = await read(stage, allowed(clock))
    assert reader.text == "one two three four"
    assert stage.upstream.asked == ["a", "b", "c"]
    assert stage.upstream.requests[2].messages[1].parts[0].text == "one two three"
    assert stage.in_flight == 0


@pytest.mark.parametrize(
    ("scripts", "fields"),
    [
        ({"a": BROKEN}, {"continue_broken_stream": False}),
        ({"a": BROKEN, "b": (Fail(),), "c": (Fail(),)}, {}),
        ({"a": (Say("one"), CallTool("1", "f"), Fail())}, {}),
        ({"a": BROKEN}, {"n": 2}),
        ({"a": BROKEN}, {"form": ResponseFormat(kind=FormatKind.JSON_OBJECT)}),
    ],
)
async def test_what_cannot_go_on_stays_broken(
    clock: ManualClock, scripts: dict[str, Script], fields: dict[str, object]
) -> None:
    stage = Stage(clock, MODEL, scripts=scripts)
    request = ask("m", **({"n": fields.pop("n")} if "n" in fields else {}))
    if "form" in fields:
        request = msgspec.structs.replace(request, response_format=fields.pop("form"))
    fields = {"continue_broken_stream": True, **fields}
    call = wishing(clock=clock, streaming=True, request=request, **fields)
    reading = asyncio.create_task(read(stage, call))
    while not reading.done():
        clock.advance(1.0)
        await asyncio.wait({reading}, timeout=0)
    error = reading.exception()
    assert isinstance(error, GatewayError)
    assert error.reason is Reason.STREAM_BROKEN
    assert all(record.usage is None for record in call.attempts)
    assert stage.in_flight == 0


async def test_whoever_leaves_during_the_change_ends_it(clock: ManualClock) -> None:
    stage = Stage(clock, MODEL, scripts={"a": BROKEN, "b": (Hang(),)})
    reading = asyncio.create_task(read(stage, allowed(clock)))
    while stage.upstream.asked != ["a", "b"]:
        await asyncio.wait({reading}, timeout=0)
    assert stage.in_flight == 1
    reading.cancel()
    await asyncio.wait({reading})
    assert stage.in_flight == 0
    assert clock.waiting == 0
