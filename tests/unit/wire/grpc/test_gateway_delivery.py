"""The end of a stream: told when the call is settled and recorded, and bounded like the rest."""

from __future__ import annotations

import asyncio

import pytest

from interlingua.v1 import generate_pb2
from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.identity import NOBODY
from interlingua_gateway.core.ids import operation_id
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.ledger import Ledger
from interlingua_gateway.providers.script import Say
from interlingua_gateway.wire.grpc.gateway import GatewayMethods, GatewayOptions
from tests.support.innermost import Innermost
from tests.support.journal import Kept
from tests.support.manual_clock import ManualClock
from tests.support.requests import ask

REQUEST = ask("hi", model="text").SerializeToString()


class Exchange:
    """What the front hands over."""

    def __init__(self, clock: ManualClock, timeout_s: float | None) -> None:
        self.id = operation_id(clock)
        self.method = "StreamGenerate"
        self.started = clock.monotonic()
        self.accepted_at_s = clock.time()
        self.deadline = None if timeout_s is None else self.started + timeout_s
        self.identity = NOBODY
        self.trace: dict[str, str] = {}


class Caller:
    """Takes messages; before the last one it stops reading until `reads` is set."""

    def __init__(self, journal: Kept) -> None:
        self.journal = journal
        self.events: list[str] = []
        self.recorded: list[int] = []
        self.reads = asyncio.Event()
        self.at_the_end = asyncio.Event()

    async def write(self, message: bytes) -> None:
        event = generate_pb2.StreamGenerateResponse.FromString(message).WhichOneof("event")
        self.recorded.append(len(self.journal.records))
        if event == "completed":
            self.at_the_end.set()
            await self.reads.wait()
        self.events.append(event)


@pytest.fixture
def journal() -> Kept:
    return Kept()


def streaming(
    journal: Kept, clock: ManualClock, timeout_s: float | None = None
) -> tuple[Caller, asyncio.Task[None]]:
    handler = stack((Ledger(journal), Account()), Innermost(clock, {"text": (Say("one two"),)}))
    methods = GatewayMethods(handler, GatewayOptions(), lambda error, call_id: None, clock)
    caller = Caller(journal)
    work = methods.stream_generate(REQUEST, Exchange(clock, timeout_s), caller.write)
    return caller, asyncio.create_task(work)


async def test_the_end_is_told_after_the_call_is_recorded(
    journal: Kept, clock: ManualClock
) -> None:
    caller, task = streaming(journal, clock)
    caller.reads.set()
    await task
    assert caller.events[-1] == "completed"
    assert caller.recorded == [*[0] * (len(caller.recorded) - 1), 1]
    (found,) = journal.operations
    assert (found.outcome, found.usage.output_tokens) == ("ok", 2)


async def test_a_caller_who_reads_no_end_meets_the_deadline(
    journal: Kept, clock: ManualClock
) -> None:
    caller, task = streaming(journal, clock, timeout_s=5.0)
    await caller.at_the_end.wait()
    clock.advance(5.0)
    with pytest.raises(GatewayError) as failed:
        await task
    assert failed.value.reason is Reason.DEADLINE_EXCEEDED
    assert failed.value.metadata["phase"] == "delivery"
    assert failed.value.metadata["events_sent"] == str(len(caller.events))
    assert failed.value.metadata["output_tokens"] == "2"
    # The whole answer was made: that is what the ledger says, once.
    assert [found.outcome for found in journal.operations] == ["ok"]
    assert clock.waiting == 0


async def test_a_caller_who_leaves_before_the_end(journal: Kept, clock: ManualClock) -> None:
    caller, task = streaming(journal, clock, timeout_s=5.0)
    await caller.at_the_end.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [found.outcome for found in journal.operations] == ["ok"]
    assert clock.waiting == 0
