"""A classifier chooses the route; whatever becomes of it, the call is served and paid for."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.errors import CallerError, GatewayError, Reason
from interlingua_gateway.core.estimate import input_tokens, text_tokens
from interlingua_gateway.core.events import Outcome
from interlingua_gateway.core.run import run
from interlingua_gateway.core.target import Capability, Classifier, Model, Route
from interlingua_gateway.core.types import (
    CountRequest,
    FormatKind,
    GenerateRequest,
    Media,
    MediaKind,
    Message,
    Role,
    Text,
    ToolResult,
)
from interlingua_gateway.core.wishes import CacheMode, Caching, Caller
from interlingua_gateway.policies.account import Account
from interlingua_gateway.providers.script import Fail, Hang, Say, Script
from interlingua_gateway.route.breaker import BreakerSettings
from interlingua_gateway.route.question import CUT, Question
from interlingua_gateway.route.rules import Rule
from tests.support.calls import ask, call, collect, embed, until
from tests.support.manual_clock import ManualClock
from tests.support.routing import Stage, model, priced, target, wishing

DIRECT = Route("direct", "Facts and small talk.", "fast")
DEEP = Route("deep", "Proofs and plans.", "slow")
PICTURES = Route("pictures", "Questions about pictures.", "sighted")
THREE = (DIRECT, DEEP, PICTURES)
DEEPLY = (Say('{"route": "deep"}'),)


def auto(*routes: Route, **fields: object) -> Model:
    """The alias `auto`; the first route is its default."""
    classifier = Classifier(
        **{
            "model": "cheap",
            "routes": routes,
            "default": routes[0],
            "timeout_s": 2.0,
            "cache_ttl_s": 60.0,
            "max_characters": 1000,
            "configuration": "c",
            **fields,
        }
    )
    return Model(name="auto", targets=(), classifier=classifier)


def stage(
    clock: ManualClock, script: Script = DEEPLY, *, alias: Model | None = None, **fields: object
) -> Stage:
    """The deployments `cheap`, `fast`, `slow` and `sighted` of models of the same names."""
    chat = frozenset({Capability.CHAT, Capability.JSON_SCHEMA})
    return Stage(
        clock,
        alias or auto(DIRECT, DEEP),
        model("cheap", priced("cheap", 1.0, 1.0)),
        model("fast", priced("fast", 2.0, 2.0, capabilities=chat)),
        model("slow", priced("slow", 4.0, 4.0, capabilities=chat)),
        model("sighted", target("sighted", capabilities=chat | {Capability.IMAGE_INPUT})),
        model("vectors", "vectors"),
        scripts={"cheap": script},
        **fields,
    )


def asking(stage: Stage, text: str = "Why?", alias: str = "auto", **fields: object) -> Call:
    fields.setdefault("deadline", stage.clock.monotonic() + 100.0)
    return call(ask(alias, text), stage.clock, **fields)


async def served(stage: Stage, asked: Call) -> str:
    """The deployment that answers."""
    await run(asked, stack((Account(),), stage.dispatch), collect, stage.clock)
    return stage.upstream.asked[-1]


def decided(asked: Call) -> tuple[str, str]:
    decision = asked.attempts[-1].decision
    assert decision == asked.decision
    assert decision is not None
    assert decision.model == "auto"
    return decision.route, str(decision.by)


def counted(stage: Stage) -> dict[tuple[str, str], float]:
    return {
        (sample.labels["route"], sample.labels["source"]): sample.value
        for family in stage.metrics.decisions.collect()
        for sample in family.samples
    }


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_classifier_chooses_and_its_choice_is_kept(clock, streaming):
    on = stage(clock)
    first, second = (asking(on, streaming=streaming) for _ in range(2))
    assert await served(on, first) == "slow"
    assert on.upstream.asked == ["cheap", "slow"]
    assert decided(first) == ("deep", "classifier")
    assert [(a.deployment, a.classifying) for a in first.attempts] == [
        ("cheap", True),
        ("slow", False),
    ]
    assert first.attempts[0].decision is None
    assert await served(on, second) == "slow"
    assert on.upstream.asked == ["cheap", "slow", "slow"]
    assert decided(second) == ("deep", "cache")
    assert counted(on) == {("deep", "classifier"): 1, ("deep", "cache"): 1}
    assert on.in_flight == 0


async def test_what_it_is_asked(clock):
    on = stage(clock)
    await served(on, asking(on, "Prove it."))
    asked = on.upstream.requests[0]
    assert isinstance(asked, GenerateRequest)
    assert asked.model == "cheap"
    text = " ".join(part.text for message in asked.messages for part in message.parts)
    for word in ("direct", DIRECT.description, "deep", DEEP.description, "Prove it."):
        assert word in text
    form = asked.response_format
    assert form is not None
    assert form.kind is FormatKind.JSON_SCHEMA
    schema = msgspec.json.decode(form.json_schema)
    assert schema["properties"]["route"]["enum"] == ["direct", "deep"]


async def test_tokens_and_cost_of_the_question_are_those_of_the_call(clock):
    on = stage(clock)
    with_question, without = asking(on), asking(on)
    await served(on, with_question)
    await served(on, without)
    question = with_question.attempts[0]
    assert question.usage is not None
    assert with_question.usage is not None
    assert without.usage is not None
    assert not with_question.usage.estimated
    for kind in ("input_tokens", "output_tokens"):
        own = getattr(with_question.usage, kind) - getattr(without.usage, kind)
        assert own == getattr(question.usage, kind) > 0
    assert with_question.cost is not None
    assert without.cost is not None
    assert not with_question.cost.estimated
    tokens = question.usage.input_tokens + question.usage.output_tokens
    assert with_question.cost.nano_usd - without.cost.nano_usd == tokens * 1000


async def test_limits_know_beforehand_what_the_question_takes(clock):
    """What is estimated for it is what the question and its answer are, by the same estimate."""
    on = stage(clock)
    asked = asking(on, "Prove it. " * 200)
    expected = on.planner.question_tokens(asked)
    await served(on, asked)
    question = on.upstream.requests[0]
    answer = text_tokens('{"route": "direct"}')
    assert expected == input_tokens(question) + answer
    assert expected < input_tokens(asked.request) + 200, "only the end of the text is read"


def test_what_asks_nobody_takes_nothing(clock):
    on = stage(clock)
    assert on.planner.question_tokens(asking(on, alias="fast")) == 0
    assert on.planner.question_tokens(asking(on, alias="nowhere")) == 0
    count = call(CountRequest(request=ask("auto", "Why?")), clock)
    assert on.planner.question_tokens(count) == 0


NONSENSE = {
    "prose": (Say("deep"),),
    "no route": (Say('{"route": "north"}'),),
    "another form": (Say('["deep"]'),),
    "nothing": (Say(""),),
    "down": (Fail(),),
    "limited": (Fail(Reason.UPSTREAM_RATE_LIMITED, "slow down", 1.0),),
    "at fault": (Fail(Reason.INTERNAL),),
    "broken": (Say('{"route":'), Fail()),
}


@pytest.mark.parametrize("how", NONSENSE)
async def test_without_a_choice_the_default_is_taken(clock, how):
    on = stage(clock, NONSENSE[how])
    asked = asking(on)
    assert await served(on, asked) == "fast"
    assert on.upstream.asked == ["cheap", "fast"], "it is asked once, whatever it answers"
    assert decided(asked) == ("direct", "default")
    assert asked.attempts[0].classifying
    again = asking(on)
    await served(on, again)
    assert decided(again) == ("direct", "default")
    # A limit that was told is kept to, no choice is.
    assert on.upstream.asked.count("cheap") == (1 if how == "limited" else 2)


@pytest.mark.parametrize(("deadline", "after_s"), [(None, 2.0), (100.0, 2.0), (3.0, 1.5)])
async def test_it_has_its_time_and_no_more(clock, deadline, after_s):
    """Its timeout, and at most half of the time that is left."""
    on = stage(clock, (Hang(),))
    asked = asking(on, deadline=None if deadline is None else clock.monotonic() + deadline)
    task = asyncio.create_task(served(on, asked))
    await until(lambda: on.upstream.asked)
    clock.advance(after_s - 0.001)
    assert on.upstream.asked == ["cheap"]
    clock.advance(0.001)
    assert await task == "fast"
    assert decided(asked) == ("direct", "default")
    question = asked.attempts[0]
    assert question.outcome is Outcome.CANCELLED
    assert question.usage is not None
    assert question.usage.estimated, "its provider may charge what it has read"
    assert asked.usage is not None
    assert asked.usage.input_tokens > question.usage.input_tokens > 0


async def late(on: Stage, asked: Call, seconds: float) -> None:
    """`asked` is served `seconds` after the classifier was asked, or without that."""
    task = asyncio.create_task(served(on, asked))
    count = len(on.upstream.asked)
    await until(lambda: len(on.upstream.asked) > count)
    if on.upstream.asked[-1] == "cheap":
        on.clock.advance(seconds)
    await task


async def test_a_classifier_that_keeps_silent_gets_a_rest(clock):
    settings = BreakerSettings(failures=3, cooldown_s=5.0, successes=1)
    on = stage(clock, (Hang(),), breaker=settings)
    for _ in range(5):
        await late(on, asking(on), 2.0)
    assert on.upstream.asked.count("cheap") == 3
    assert on.breaker("cheap") == "closed", "what is too slow for a choice is no fault of it"
    on.upstream.scripts["cheap"] = DEEPLY
    clock.advance(5.0)
    assert await served(on, asking(on)) == "slow"
    assert await served(on, asking(on, "Another one?")) == "slow"
    assert on.upstream.asked.count("cheap") == 5


@pytest.mark.parametrize(
    ("script", "deadline_s", "after_s"),
    [
        ((Say("prose"),), 100.0, 0.0),
        ((Fail(Reason.CONTENT_FILTERED),), 100.0, 0.0),
        ((Hang(),), 1.0, 0.5),
    ],
    ids=["nonsense", "filtered", "in a hurry"],
)
async def test_what_one_caller_brings_about_is_no_rest_for_all(clock, script, deadline_s, after_s):
    on = stage(clock, script, breaker=BreakerSettings(failures=3))
    for _ in range(10):
        await late(on, asking(on, deadline=clock.monotonic() + deadline_s), after_s)
    on.upstream.scripts["cheap"] = DEEPLY
    assert await served(on, asking(on)) == "slow"


async def test_an_open_circuit_of_its_deployment_is_no_wait(clock):
    on = stage(clock, (Fail(),), breaker=BreakerSettings(failures=1))
    await served(on, asking(on))
    assert on.breaker("cheap") == "open"
    asked = asking(on, "Something else?")
    assert await served(on, asked) == "fast"
    assert [a.deployment for a in asked.attempts] == ["fast"]


async def test_a_caller_who_leaves_leaves_nothing(clock):
    on = stage(clock, (Hang(),))
    asked = asking(on)
    task = asyncio.create_task(served(on, asked))
    await until(lambda: on.upstream.asked)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert on.in_flight == 0
    assert asked.usage is not None
    assert asked.usage.input_tokens > 0


# Whether a second call finds the choice of the first.
SAME = {
    "the same": ({}, {}, True),
    "another text": ({}, {"text": "How?"}, False),
    "another tenant": ({"caller": Caller(tenant="a")}, {"caller": Caller(tenant="b")}, False),
    "another user": ({"caller": Caller(user="a")}, {"caller": Caller(user="b")}, True),
    "other tags": ({"tags": ("a",)}, {"tags": ("b",)}, True),
    "bypass": ({}, {"caching": Caching(mode=CacheMode.BYPASS)}, False),
    "refresh": ({}, {"caching": Caching(mode=CacheMode.REFRESH)}, False),
    "after a bypass": ({"caching": Caching(mode=CacheMode.BYPASS)}, {}, False),
    "after a refresh": ({"caching": Caching(mode=CacheMode.REFRESH)}, {}, True),
}


@pytest.mark.parametrize("case", SAME)
async def test_whose_choice_is_found(clock, case):
    first, second, found = SAME[case]
    on = stage(clock)
    await served(on, asking(on, **first))
    asked = asking(on, **second)
    await served(on, asked)
    assert decided(asked)[1] == ("cache" if found else "classifier")


async def test_a_choice_is_kept_for_its_time_and_can_be_removed(clock):
    on = stage(clock)
    await served(on, asking(on, caller=Caller(tenant="acme")))
    assert await on.blobs.remove("tenant:acme") == 1
    await served(on, asking(on))
    assert await on.blobs.remove("model:auto") == 1
    await served(on, asking(on))
    clock.advance(60.0)
    await served(on, asking(on))
    assert on.upstream.asked.count("cheap") == 4


async def test_another_configuration_finds_nothing(clock):
    on = stage(clock)
    await served(on, asking(on))
    other = stage(clock, alias=auto(DIRECT, DEEP, configuration="d"), blobs=on.blobs)
    await served(other, asking(other))
    assert other.upstream.asked[0] == "cheap"


async def test_what_is_kept_must_be_a_route(clock):
    on = stage(clock)
    asked = asking(on)
    assert isinstance(asked.request, GenerateRequest)
    classifier = auto(DIRECT, DEEP).classifier
    assert classifier is not None
    key = Question(asked, asked.request, classifier, classifier.routes).key
    on.blobs.put(key, b"\xffnorth", 60.0, ())
    assert await served(on, asked) == "slow"
    assert decided(asked) == ("deep", "classifier")


async def test_only_routes_that_can_serve_the_call_are_offered(clock):
    on = stage(clock, alias=auto(*THREE))
    picture = Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"x")
    messages = (Message(role=Role.USER, parts=(Text(text="Who?"), picture)),)
    asked = call(GenerateRequest(model="auto", messages=messages), clock, deadline=100.0)
    assert await served(on, asked) == "sighted"
    assert on.upstream.asked == ["sighted"], "there is nothing to choose"
    assert decided(asked) == ("pictures", "only_route")


async def test_a_default_that_cannot_serve_the_call_is_not_taken(clock):
    on = stage(clock, (Fail(),), alias=auto(PICTURES, DIRECT, DEEP))
    asked = call(
        ask("auto"), clock, deadline=100.0, routing=wishing(max_cost_nano_usd=10**9).routing
    )
    assert await served(on, asked) == "fast", "no price is known of the default"
    assert decided(asked) == ("direct", "default")


async def test_a_rule_may_send_to_it_and_does_not_touch_its_question(clock):
    """The question is of the call's own tags, but no rule sends it back to the classifier."""
    on = stage(clock, rules=[Rule(use="auto", tags=frozenset({"smart"}))])
    asked = asking(on, alias="fast", tags=("smart",))
    assert await served(on, asked) == "slow"
    assert on.upstream.asked == ["cheap", "slow"]
    assert decided(asked) == ("deep", "classifier")


async def test_wishes_are_for_the_answer(clock):
    """A caller's fallbacks and price ceiling do not hold for the question."""
    on = stage(clock, (Fail(),))
    asked = call(
        ask("auto"),
        clock,
        deadline=100.0,
        routing=wishing(fallbacks=("sighted",), max_cost_nano_usd=10**9).routing,
    )
    assert await served(on, asked) == "fast"
    assert on.upstream.asked == ["cheap", "fast"]


async def test_as_a_fallback_it_stands_for_its_default(clock):
    on = stage(clock)
    on.upstream.scripts["slow"] = (Fail(),)
    asked = call(ask("slow"), clock, deadline=100.0, routing=wishing(fallbacks=("auto",)).routing)
    assert await served(on, asked) == "fast"
    assert on.upstream.asked == ["slow", "fast"]
    assert asked.decision is None


async def test_an_error_of_the_answer_does_not_speak_of_the_question(clock):
    on = stage(clock)
    on.upstream.scripts["slow"] = (Fail(Reason.UPSTREAM_REFUSED_CREDENTIALS),)
    with pytest.raises(GatewayError) as caught:
        await served(on, asking(on))
    assert caught.value.reason is Reason.UPSTREAM_REFUSED_CREDENTIALS
    assert "cheap" not in caught.value.metadata["attempts"]


async def test_counting_goes_by_the_default_and_embedding_is_refused(clock):
    on = stage(clock)
    count = call(CountRequest(ask("auto")), clock, deadline=100.0)
    assert await served(on, count) == "fast"
    assert on.upstream.asked == ["fast"]
    with pytest.raises(CallerError) as caught:
        await served(on, call(embed("a", model="auto"), clock, deadline=100.0))
    assert caught.value.violations[0].subject == "model"


def text_of(*messages: Message, limit: int) -> str:
    classifier = auto(DIRECT, DEEP, max_characters=limit).classifier
    assert classifier is not None
    request = GenerateRequest(model="auto", messages=messages)
    asked = Question(call(request), request, classifier, classifier.routes).request()
    (part,) = asked.messages[1].parts
    assert isinstance(part, Text)
    return part.text.removeprefix("Conversation:\n")


def said(role: Role, text: str) -> Message:
    return Message(role=role, parts=(Text(text=text),))


def test_of_a_long_conversation_the_latest_is_read():
    early, late = said(Role.USER, "a" * 80), said(Role.USER, "b" * 80)
    assert text_of(early, late, limit=200) == f"user: {'a' * 80}\nuser: {'b' * 80}"
    assert text_of(early, late, limit=100) == f"user: {'a' * 10}{CUT}{'a' * 10}\nuser: {'b' * 80}"
    assert text_of(early, late, limit=80) == f"user: {'b' * 80}"


def test_of_a_long_message_both_ends_are_read():
    text = "Summarise:" + "x" * 10_000 + "In French."
    assert text_of(said(Role.USER, text), limit=20) == f"user: Summarise:{CUT}In French."


def test_what_tools_say_is_not_read():
    """So every turn of an agent's loop asks the same, and finds the choice that is kept."""
    result = ToolResult(tool_call_id="c", content=(Text(text="secret"),))
    asked = said(Role.USER, "Why?")
    loop = text_of(asked, Message(role=Role.TOOL, parts=(result,)), limit=1000)
    assert loop == text_of(asked, limit=1000) == "user: Why?"
