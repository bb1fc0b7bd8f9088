"""The cache: what is found, what is kept, and what a hit looks like."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.call import CacheStatus, Call, Handler, Warned
from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.events import (
    Answer,
    AnswerEvent,
    Finish,
    FinishReason,
    LogprobsDelta,
    MediaDelta,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.run import run
from interlingua_gateway.core.types import Media, MediaKind
from interlingua_gateway.core.wishes import CacheMode, Caching, Caller, Leniency, Routing
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.cache import Cache, CacheRule
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.policies.observe import Observe
from interlingua_gateway.providers.script import CallTool, Fail, Hang, Say
from interlingua_gateway.store.memory_blobs import MemoryBlobs
from interlingua_gateway.telemetry.metrics import Metrics
from tests.support.calls import Reader, ask, call, collect, embed, started, until
from tests.support.innermost import Innermost, target
from tests.support.manual_clock import ManualClock

SCRIPTS = {
    "text": (Say("one two three"),),
    "tools": (CallTool("call_1", "weather", '{"city":"Paris"}'),),
    "broken": (Say("one"), Fail()),
    "stalled": (Say("one"), Hang()),
    "other": (Say("other"),),
}
MODELS = (*SCRIPTS, "vectors")


class Stage:
    """The cache in memory, with accounts around it."""

    def __init__(
        self,
        clock: ManualClock,
        innermost: Handler | None = None,
        blobs: MemoryBlobs | None = None,
        **rule: object,
    ) -> None:
        self.clock = clock
        self.scripted = Innermost(clock, SCRIPTS)
        self.blobs = MemoryBlobs(100_000, clock) if blobs is None else blobs
        fields = {"configuration": "c", "ttl_s": 60.0, "max_answer_bytes": 10_000, **rule}
        targets = {name: target(name) for name in MODELS}
        made = CacheRule(targets=targets, **fields)
        rules = Aliases(dict.fromkeys(MODELS, made))
        cache = Cache(rules, self.blobs, Fingerprints(), clock)
        self.handler = stack((Account(), cache), innermost or self.scripted)

    async def ask(self, request: object = None, **fields: object) -> tuple[Call, Answer]:
        made = call(request, self.clock, **fields)
        return made, await run(made, self.handler, collect, self.clock)

    async def statuses(self, *calls: dict[str, object]) -> list[str]:
        return [str((await self.ask(**fields))[0].cache_status) for fields in calls]

    @property
    def upstream_calls(self) -> int:
        return len(self.scripted.requests)


@pytest.fixture
async def stage(clock: ManualClock) -> Stage:
    return Stage(clock)


@pytest.mark.parametrize("request_", [ask("text"), ask("tools"), embed("a", "b")], ids=str)
async def test_a_hit_is_the_same_answer_for_nothing(stage: Stage, request_: object) -> None:
    first, original = await stage.ask(request_)
    second, again = await stage.ask(request_)
    assert again == original
    assert (first.cache_status, second.cache_status) == (CacheStatus.MISS, CacheStatus.HIT)
    assert second.usage == first.usage
    assert second.cost == Cost(0)
    assert second.target == first.target
    assert second.attempts == []
    assert stage.upstream_calls == 1


async def test_a_hit_can_be_streamed_and_a_streamed_answer_hits(stage: Stage) -> None:
    reader = Reader()
    await started(call(streaming=True), stage.handler, reader, stage.clock)
    assert len(reader.batches) > 1
    again = Reader()
    await started(call(streaming=True), stage.handler, again, stage.clock)
    assert again.text == reader.text == "one two three"
    assert len(again.batches) == 1
    assert (await stage.ask())[0].cache_status is CacheStatus.HIT


async def test_modes(stage: Stage) -> None:
    def mode(name: str) -> dict[str, object]:
        return {"caching": Caching(mode=CacheMode(name))}

    with pytest.raises(GatewayError) as failure:
        await stage.ask(**mode("only_if_cached"))
    assert failure.value.reason is Reason.RESOURCE_NOT_FOUND
    assert stage.upstream_calls == 0
    found = await stage.statuses(
        mode("bypass"), mode("default"), {}, mode("bypass"), mode("refresh"), mode("only_if_cached")
    )
    assert found == ["bypass", "miss", "hit", "bypass", "refreshed", "hit"]
    assert stage.upstream_calls == 4


async def test_ttl_of_the_model_and_of_requests(stage: Stage) -> None:
    await stage.ask()
    stage.clock.advance(30.0)
    fresh_only = {"caching": Caching(ttl_s=29.0)}
    assert await stage.statuses({}, {"caching": Caching(ttl_s=31.0)}) == ["hit", "hit"]
    assert await stage.statuses(fresh_only, fresh_only) == ["miss", "hit"]
    stage.clock.advance(29.5)
    assert await stage.statuses({}) == ["miss"]
    stage.clock.advance(61.0)
    assert await stage.statuses({}) == ["miss"]


def _reply(*events: AnswerEvent, deployment: str = "text") -> Handler:
    async def handle(call: Call) -> Reply:
        call.target = target(deployment)
        return Reply(Start(deployment, "stage", deployment), events)

    return handle


STOP = Finish(0, FinishReason.STOP)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((TextDelta(0, "x"), STOP), "hit"),
        ((TextDelta(0, "x"), Finish(0, FinishReason.STOP_SEQUENCE, "\n")), "hit"),
        ((ToolCallDelta(0, 0, "c", "f", "{}"), Finish(0, FinishReason.TOOL_CALLS)), "hit"),
        ((TextDelta(0, "x"), Finish(0, FinishReason.LENGTH)), "miss"),
        ((TextDelta(0, "x"), Finish(0, FinishReason.CONTENT_FILTER)), "miss"),
        ((TextDelta(0, "x"), Finish(0, FinishReason.REFUSAL)), "miss"),
        ((TextDelta(0, "x"), Finish(0, FinishReason.OTHER)), "miss"),
        ((STOP,), "miss"),
        ((TextDelta(0, "x"), STOP, TextDelta(1, "y"), Finish(1, FinishReason.LENGTH)), "miss"),
        ((TextDelta(0, "x" * 20_000), STOP), "miss"),
    ],
)
async def test_only_complete_answers_are_kept(
    clock: ManualClock, events: Sequence[AnswerEvent], status: str
) -> None:
    stage = Stage(clock, _reply(*events))
    assert await stage.statuses({}, {}) == ["miss", status]


async def test_an_answer_of_a_fallback_is_not_kept(clock: ManualClock) -> None:
    stage = Stage(clock, _reply(TextDelta(0, "x"), STOP, deployment="elsewhere"))
    assert await stage.statuses({}, {}) == ["miss", "miss"]


async def test_an_answer_that_another_target_continued_is_not_kept(clock: ManualClock) -> None:
    answer = _reply(TextDelta(0, "x"), STOP)

    async def continued(call: Call) -> Reply:
        reply = await answer(call)
        call.target = target("other")
        return reply

    stage = Stage(clock, continued)
    assert await stage.statuses({}, {}) == ["miss", "miss"]


async def test_an_answer_with_a_warning_is_not_kept(clock: ManualClock) -> None:
    answer = _reply(TextDelta(0, "x"), STOP)

    async def warn(call: Call) -> Reply:
        call.warnings.append(Warned("sampling.top_k", "left out"))
        return await answer(call)

    stage = Stage(clock, warn)
    assert await stage.statuses({}, {}) == ["miss", "miss"]


async def test_broken_and_cancelled_answers_are_not_kept(stage: Stage) -> None:
    with pytest.raises(GatewayError):
        await started(call(ask("broken"), streaming=True), stage.handler, Reader(), stage.clock)
    reader = Reader()
    reading = started(call(ask("stalled"), streaming=True), stage.handler, reader, stage.clock)
    await until(lambda: reader.text)
    reading.cancel()
    await asyncio.wait({reading})
    assert len(stage.blobs) == 0


@pytest.mark.parametrize(
    ("request_", "fields", "status"),
    [
        (ask("text", "again"), {}, "miss"),
        (ask("other"), {}, "miss"),
        (ask("text", top_p=0.5), {}, "miss"),
        (None, {"caller": Caller(tenant="other")}, "miss"),
        (None, {"routing": Routing(fallbacks=("other",))}, "miss"),
        (None, {"routing": Routing(leniency=Leniency.WARN)}, "miss"),
        (None, {"tags": ("t",), "metadata": {"k": "v"}, "trace": {"traceparent": "x"}}, "hit"),
        (None, {"deadline": 5000.0, "routing": Routing(sticky_key="s", hedge_after_s=1.0)}, "hit"),
        (None, {"caller": Caller(user="somebody", key="k")}, "hit"),
    ],
)
async def test_what_is_in_the_key(
    stage: Stage, request_: object, fields: dict[str, object], status: str
) -> None:
    await stage.ask()
    made, _ = await stage.ask(request_, **fields)
    assert str(made.cache_status) == status


async def test_a_changed_configuration_misses(clock: ManualClock) -> None:
    blobs = MemoryBlobs(100_000, clock)
    await Stage(clock, blobs=blobs).ask()
    assert await Stage(clock, blobs=blobs, configuration="d").statuses({}) == ["miss"]
    assert await Stage(clock, blobs=blobs).statuses({}) == ["hit"]


async def test_sampled_answers_are_not_cached_where_configured(clock: ManualClock) -> None:
    stage = Stage(clock, sampled=False)
    sober = ask("text", temperature=0.0)
    assert await stage.statuses({}, {}) == ["bypass", "bypass"]
    assert await stage.statuses({"request": sober}, {"request": sober}) == ["miss", "hit"]


async def test_removal_by_label(stage: Stage) -> None:
    async def fill() -> None:
        await stage.ask(call_id="op_a", caller=Caller(tenant="acme"), tags=("red", "blue"))
        await stage.ask(ask("other"), call_id="op_b", tags=("blue",))

    request = Fingerprints().of_request(ask("other"))
    table = {
        "operation:op_a": 1,
        "operation:op_c": 0,
        "model:text": 1,
        "tenant:acme": 1,
        "tenant:": 1,
        "tag:blue": 2,
        f"request:{request}": 1,
    }
    for label, count in table.items():
        await fill()
        assert await stage.blobs.remove(label) == count, label
        assert len(stage.blobs) == 2 - count


async def test_metrics_tell_hits_and_leave_out_their_tokens(stage: Stage) -> None:
    metrics = Metrics()
    observed = stack((Observe(metrics, stage.clock),), stage.handler)
    for _ in range(3):
        await run(call(clock=stage.clock), observed, collect, stage.clock)
    value = metrics.registry.get_sample_value
    assert value("interlingua_cache_calls_total", {"status": "miss"}) == 1
    assert value("interlingua_cache_calls_total", {"status": "hit"}) == 2
    labels = {
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "stage",
        "gen_ai_request_model": "text",
    }
    tokens = {**labels, "gen_ai_token_type": "output"}
    assert value("gen_ai_client_token_usage_count", tokens) == 1
    assert value("interlingua_cost_usd_total", labels) == pytest.approx(3e-9)


async def test_wishes_without_a_cache(clock: ManualClock) -> None:
    stage = Stage(clock)
    nowhere = {"request": ask("unlisted")}
    for caching, field in (
        (Caching(mode=CacheMode.DEFAULT), "cache.mode"),
        (Caching(mode=CacheMode.REFRESH), "cache.mode"),
        (Caching(mode=CacheMode.ONLY_IF_CACHED), "cache.mode"),
        (Caching(ttl_s=1.0), "cache.ttl"),
    ):
        with pytest.raises(GatewayError) as failure:
            await stage.ask(**nowhere, caching=caching)
        assert failure.value.reason is Reason.UNSUPPORTED_PARAMETER
        assert failure.value.violations[0].subject == field
    lenient = Routing(leniency=Leniency.WARN)
    made, _ = await stage.ask(**nowhere, caching=Caching(ttl_s=1.0), routing=lenient)
    assert [warned.field for warned in made.warnings] == ["cache.ttl"]
    made, _ = await stage.ask(**nowhere, caching=Caching(mode=CacheMode.BYPASS))
    assert made.cache_status is None


async def test_every_kind_of_event_comes_back(clock: ManualClock) -> None:
    picture = Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"\x89")
    events = (
        ReasoningDelta(0, "hm"),
        ReasoningDelta(0, signature=b"\x00s"),
        ReasoningDelta(0, signature=b"r", redacted=True),
        TextDelta(0, "a"),
        TextDelta(0, "b"),
        ToolCallDelta(0, 0, "c1", "f", '{"x":'),
        ToolCallDelta(0, 0, arguments_json="1}"),
        ToolCallDelta(0, 1, "c2", "g", "{}"),
        MediaDelta(0, picture),
        LogprobsDelta(0, (TokenLogprob("a", -0.5, b"a"),)),
        Finish(0, FinishReason.TOOL_CALLS),
        TextDelta(1, "c"),
        Finish(1, FinishReason.STOP),
        UsageUpdate(Usage(input_tokens=3, output_tokens=4, cached_input_tokens=1)),
    )
    stage = Stage(clock, _reply(*events))
    _, original = await stage.ask()
    made, again = await stage.ask()
    assert made.cache_status is CacheStatus.HIT
    assert again == original
