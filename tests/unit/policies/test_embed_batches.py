"""Embed calls joined into one: who gets what, who pays what, who fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.call import Call, Phase
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import CallerError, GatewayError, Reason, UpstreamError
from interlingua_gateway.core.events import Answer, Usage, UsageUpdate, Vector
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.run import run
from interlingua_gateway.core.types import EmbedRequest
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.embed_batches import EmbedBatches, EmbedBatchRule
from tests.support.calls import call, collect, embed, until
from tests.support.innermost import target
from tests.support.manual_clock import ManualClock


class Embedder:
    """The end of the stack: one byte for each input, ten tokens for each; `hold` keeps it from
    answering, an input `bad` is the caller's fault, `down` the provider's."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.open = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def __call__(self, call: Call) -> Reply:
        assert isinstance(call.request, EmbedRequest)
        texts = tuple(item.text or "" for item in call.request.inputs)
        self.asked.append(texts)
        call.target = target("vectors")
        call.phase = Phase.FIRST_TOKEN
        self.open += 1
        try:
            await self.hold.wait()
        finally:
            self.open -= 1
        if "bad" in texts:
            raise CallerError.of_field(f"inputs[{texts.index('bad')}]", "is bad")
        if "down" in texts:
            raise UpstreamError(Reason.UPSTREAM_UNAVAILABLE, "down", retry_after_s=3.0)
        vectors = [Vector(index, text.encode()) for index, text in enumerate(texts)]
        usage = UsageUpdate(Usage(input_tokens=10 * len(texts) + 1))
        return Reply(Start("vectors", "stage", "vectors"), (*vectors, usage))


class Stage:
    """Rounds of at most 4 inputs within 10 ms."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.tasks = Tasks()
        self.embedder = Embedder()
        rule = EmbedBatchRule(max_delay_s=0.01, max_inputs=4)
        self.policy = EmbedBatches(Aliases({"vectors": rule}), self.tasks, clock)
        self.handler = stack((Account(), self.policy), self.embedder)

    def start(self, request: EmbedRequest, **fields: object) -> asyncio.Task[tuple[Call, Answer]]:
        made = call(request, self.clock, method="Embed", **fields)

        async def ask() -> tuple[Call, Answer]:
            return made, await run(made, self.handler, collect, self.clock)

        return asyncio.create_task(ask())

    async def gathered(self, rounds: int = 1) -> None:
        await until(lambda: self.policy.gathering == rounds)

    def wait_over(self) -> None:
        self.clock.advance(0.01)


@pytest.fixture
async def stage(clock: ManualClock) -> AsyncIterator[Stage]:
    made = Stage(clock)
    yield made
    await until(lambda: not (made.embedder.open or made.policy.gathering or len(made.tasks)))
    assert clock.waiting == 0


def texts(answer: Answer) -> list[tuple[int, str]]:
    return [(vector.index, vector.data.decode()) for vector in answer.vectors]


async def test_calls_are_joined_and_each_gets_its_own(stage: Stage) -> None:
    one = stage.start(embed("a" * 40))
    two = stage.start(embed("b", "c"))
    await stage.gathered()
    assert stage.embedder.asked == []
    stage.wait_over()
    (first, answer), (second, other) = await asyncio.gather(one, two)
    assert stage.embedder.asked == [("a" * 40, "b", "c")]
    assert texts(answer) == [(0, "a" * 40)]
    assert texts(other) == [(0, "b"), (1, "c")]
    assert (first.usage, second.usage) == (Usage(input_tokens=25), Usage(input_tokens=6))
    assert first.target == second.target == target("vectors")


async def test_a_full_round_goes_at_once(stage: Stage) -> None:
    calls = [stage.start(embed(str(number))) for number in range(6)]
    await until(lambda: len(stage.embedder.asked) == 1)
    assert stage.embedder.asked == [("0", "1", "2", "3")]
    await stage.gathered()
    stage.wait_over()
    answers = await asyncio.gather(*calls)
    assert [texts(answer) for _, answer in answers] == [[(0, str(n))] for n in range(6)]
    assert stage.embedder.asked[1:] == [("4", "5")]


async def test_what_does_not_fit_begins_the_next_round(stage: Stage) -> None:
    calls = [stage.start(embed("a", "b", "c")), stage.start(embed("d", "e"))]
    await until(lambda: len(stage.embedder.asked) == 1)
    stage.wait_over()
    await asyncio.gather(*calls)
    assert stage.embedder.asked == [("a", "b", "c"), ("d", "e")]


async def test_large_calls_and_lonely_ones_go_alone(stage: Stage) -> None:
    await stage.start(embed("a", "b", "c", "d"))
    lonely = stage.start(embed("e"))
    await stage.gathered()
    stage.wait_over()
    await lonely
    assert stage.embedder.asked == [("a", "b", "c", "d"), ("e",)]
    assert stage.policy.gathering == 0


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (embed("b", dimensions=8), {}),
        (embed("b", task="search_query"), {}),
        (embed("b", user="somebody"), {}),
        (embed("b"), {"caller": Caller(tenant="other")}),
    ],
)
async def test_what_is_not_joined(
    stage: Stage, request_: EmbedRequest, fields: dict[str, object]
) -> None:
    calls = [stage.start(embed("a")), stage.start(request_, **fields)]
    await stage.gathered(2)
    stage.wait_over()
    await asyncio.gather(*calls)
    assert stage.embedder.asked == [("a",), ("b",)]


async def test_only_the_one_at_fault_fails(stage: Stage) -> None:
    calls = [stage.start(embed(text)) for text in ("a", "bad", "c")]
    await stage.gathered()
    stage.wait_over()
    first, second, third = await asyncio.gather(*calls, return_exceptions=True)
    assert texts(first[1]) == [(0, "a")]
    assert texts(third[1]) == [(0, "c")]
    assert isinstance(second, CallerError)
    assert second.violations[0].subject == "inputs[0]"


async def test_a_failure_of_the_provider_reaches_all_each_as_its_own(stage: Stage) -> None:
    calls = [stage.start(embed(text)) for text in ("a", "down")]
    await stage.gathered()
    stage.wait_over()
    one, two = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(one, UpstreamError)
    assert isinstance(two, UpstreamError)
    assert one is not two
    assert one.retry_after_s == two.retry_after_s == 3.0
    assert len(stage.embedder.asked) == 1


async def test_whoever_leaves_hurts_nobody(stage: Stage) -> None:
    stage.embedder.hold.clear()
    before, during, staying = (stage.start(embed(text)) for text in "abc")
    await stage.gathered()
    before.cancel()
    await asyncio.wait({before})
    stage.wait_over()
    await until(lambda: stage.embedder.open)
    assert stage.embedder.asked == [("b", "c")]
    during.cancel()
    await asyncio.wait({during})
    stage.embedder.hold.set()
    assert texts((await staying)[1]) == [(0, "c")]


async def test_the_last_to_leave_ends_the_upstream(stage: Stage) -> None:
    stage.embedder.hold.clear()
    calls = [stage.start(embed(text)) for text in "ab"]
    await stage.gathered()
    stage.wait_over()
    await until(lambda: stage.embedder.open)
    for asked in calls:
        asked.cancel()
    await asyncio.wait(calls)
    await until(lambda: not stage.embedder.open)


async def test_all_leave_before_the_round_is_sent(stage: Stage) -> None:
    calls = [stage.start(embed(text)) for text in "ab"]
    await stage.gathered()
    for asked in calls:
        asked.cancel()
    await asyncio.wait(calls)
    assert stage.embedder.asked == []


async def test_each_has_its_own_deadline(stage: Stage) -> None:
    stage.embedder.hold.clear()
    now = stage.clock.monotonic()
    hasty = stage.start(embed("a"), deadline=now + 1.0)
    patient = stage.start(embed("b"), deadline=now + 5.0)
    await stage.gathered()
    stage.wait_over()
    await until(lambda: stage.embedder.open)
    stage.clock.advance(1.0)
    with pytest.raises(GatewayError) as failure:
        await hasty
    assert failure.value.reason is Reason.DEADLINE_EXCEEDED
    stage.embedder.hold.set()
    assert texts((await patient)[1]) == [(0, "b")]
