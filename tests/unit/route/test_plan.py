"""Where a call may go: names, rules, what it needs, fallbacks."""

from __future__ import annotations

import msgspec
import pytest

from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.target import Capability, Chains, Classifier, Hedge, Model, Route
from interlingua_gateway.core.types import (
    FormatKind,
    Media,
    MediaKind,
    Message,
    Modality,
    ResponseFormat,
    Role,
    Tool,
)
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.route.need import Need
from interlingua_gateway.route.rules import Rule
from tests.support.calls import ask, embed
from tests.support.manual_clock import ManualClock
from tests.support.routing import Stage, model, priced, target, wishing

CHAT, TOOLS, IMAGES = Capability.CHAT, Capability.TOOLS, Capability.IMAGE_INPUT


def order(stage: Stage, **fields: object) -> list[str]:
    """The deployments that a call may go to, in their order."""
    call = wishing(clock=stage.clock, **fields)
    need = Need(call)
    plan = stage.planner.plan(call, need, stage.planner.model(call, need))
    return [t.deployment for s in plan.stages for t in stage.planner.ordered(call, plan, s)]


def request(**fields: object) -> object:
    words = fields.pop("words", 1)
    made = ask("m", "word " * words, max_output_tokens=fields.pop("max_output_tokens", None))
    return msgspec.structs.replace(made, **fields)


PICTURE = Message(
    role=Role.USER, parts=(Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"x"),)
)
SCHEMA = ResponseFormat(kind=FormatKind.JSON_SCHEMA, name="n", json_schema="{}")


def test_targets_come_before_those_of_the_fallbacks(clock: ManualClock) -> None:
    stage = Stage(clock, model("m", "a", "b"), model("n", "b", "c"))
    assert order(stage, fallbacks=("n",)) == ["a", "b", "b", "c"]


@pytest.mark.parametrize("fields", [{"alias": "gtp"}, {"alias": "gpt", "fallbacks": ("gtp",)}])
def test_an_unknown_name_is_refused_and_a_near_one_told(
    clock: ManualClock, fields: dict[str, object]
) -> None:
    with pytest.raises(CallerError, match="Did you mean `gpt`") as caught:
        order(Stage(clock, model("gpt", "a")), **fields)
    assert caught.value.reason is Reason.MODEL_NOT_FOUND
    assert caught.value.resource is not None
    assert caught.value.resource.name == "gtp"


def test_a_long_name_is_shown_short(clock: ManualClock) -> None:
    with pytest.raises(CallerError, match="ListModels") as caught:
        order(Stage(clock, model("gpt", "a")), alias="z" * 10_000)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("fields", "able"),
    [
        ({}, ["plain", "seeing", "tools", "unknown"]),
        ({"request": request(tools=(Tool(name="f"),))}, ["tools", "unknown"]),
        ({"request": request(messages=(PICTURE,))}, ["seeing", "unknown"]),
        ({"request": request(response_format=SCHEMA)}, ["unknown"]),
        ({"request": request(modalities=(Modality.AUDIO,))}, ["unknown"]),
        ({"required": frozenset({TOOLS})}, ["tools", "unknown"]),
        ({"request": embed("text", model="m")}, ["unknown"]),
        # windows: plain 100, seeing 1000, tools 10000 tokens
        ({"request": request(words=200)}, ["seeing", "tools", "unknown"]),
        ({"request": request(words=2000)}, ["tools", "unknown"]),
        ({"request": request(words=20_000)}, ["unknown"]),
        ({"request": request(max_output_tokens=500)}, ["seeing", "tools", "unknown"]),
        ({"max_cost_nano_usd": 10**9}, ["plain", "seeing"]),
        ({"max_cost_nano_usd": 60_000}, ["plain"]),
    ],
)
def test_only_targets_that_can_serve_it_are_chosen(
    clock: ManualClock, fields: dict[str, object], able: list[str]
) -> None:
    targets = (
        priced("plain", 1.0, 0.1, capabilities=frozenset({CHAT}), context_window_tokens=100,
               longest_output_tokens=100),
        priced("seeing", 1.0, 2.0, capabilities=frozenset({CHAT, IMAGES}),
               context_window_tokens=1000),
        target("tools", capabilities=frozenset({CHAT, TOOLS}), context_window_tokens=10_000),
        target("unknown"),
    )  # fmt: skip
    fields.setdefault("request", request())
    assert order(Stage(clock, model("m", *targets)), **fields) == able


def test_what_is_only_estimated_never_refuses(clock: ManualClock) -> None:
    small = target("a", context_window_tokens=10, capabilities=frozenset({CHAT}))
    stage = Stage(clock, model("m", small))
    asked = request(words=1000, tools=(Tool(name="f"),))
    assert order(stage, request=asked) == ["a"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"required": frozenset({TOOLS})}, "routing.required_capabilities"),
        ({"max_cost_nano_usd": 1}, "routing.max_cost_nano_usd"),
    ],
)
def test_a_demand_that_nobody_fulfils_names_its_field(
    clock: ManualClock, fields: dict[str, object], field: str
) -> None:
    stage = Stage(clock, model("m", priced("a", 5.0, 5.0, capabilities=frozenset({CHAT}))))
    with pytest.raises(CallerError) as caught:
        order(stage, **fields)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.violations[0].subject == field


def test_a_demand_that_a_fallback_fulfils_goes_there(clock: ManualClock) -> None:
    stage = Stage(
        clock,
        model("m", target("a", capabilities=frozenset({CHAT})), fallbacks=Chains(general=("n",))),
        model("n", target("b", capabilities=frozenset({CHAT, TOOLS}))),
    )
    assert order(stage, required=frozenset({TOOLS})) == ["b"]


def test_a_request_that_is_too_long_goes_to_the_chain_for_it(clock: ManualClock) -> None:
    stage = Stage(
        clock,
        model("m", target("a", context_window_tokens=10), fallbacks=Chains(context_window=("n",))),
        model("n", "b"),
    )
    assert order(stage, request=request(words=2)) == ["a"]
    assert order(stage, request=request(words=2000)) == ["b", "a"]


RULES = (
    Rule(use="vision", capabilities=frozenset({IMAGES})),
    Rule(use="long", models=("m", "open/*"), min_input_tokens=500),
    Rule(use="acme", tenants=("acme",), tags=frozenset({"batch", "night"})),
    Rule(use="short", models=("m",), tags=frozenset({"cheap"}), max_input_tokens=50),
)


@pytest.mark.parametrize(
    ("fields", "alias"),
    [
        ({}, "m"),
        ({"request": request(messages=(PICTURE,))}, "vision"),
        ({"required": frozenset({IMAGES})}, "vision"),
        ({"request": request(words=1000)}, "long"),
        ({"request": ask("open/x", "word " * 1000)}, "long"),
        ({"request": ask("other", "word " * 1000)}, "other"),
        ({"tags": ("night", "batch", "x"), "caller": Caller(tenant="acme")}, "acme"),
        ({"tags": ("night",), "caller": Caller(tenant="acme")}, "m"),
        ({"tags": ("night", "batch")}, "m"),
        ({"tags": ("cheap",)}, "short"),
        ({"tags": ("cheap",), "request": request(words=100)}, "m"),
    ],
)
def test_rules(clock: ManualClock, fields: dict[str, object], alias: str) -> None:
    names = ("m", "other", "vision", "long", "acme", "short", "open/x")
    stage = Stage(clock, *(model(name, name) for name in names), rules=RULES)
    fields.setdefault("request", request())
    assert order(stage, **fields) == [alias]


def prospect(stage: Stage, **fields: object) -> tuple[list[str], bool]:
    """The deployments that a budget must hold for, and whether two of them may be paid for."""
    found = stage.planner.prospect(wishing(clock=stage.clock, **fields))
    return [t.deployment for t in found.targets], found.twice


def test_a_prospect_has_fallbacks_and_detours(clock: ManualClock) -> None:
    chains = Chains(general=("n",), context_window=("long",), content_policy=("bold",))
    stage = Stage(
        clock, model("m", "a", fallbacks=chains), model("n", "b"), model("long", "c"),
        model("bold", "d"), model("h", "e", hedge=Hedge(after_s=1.0)),
    )  # fmt: skip
    assert prospect(stage) == (["a", "b", "c", "d"], False)
    assert prospect(stage, continue_broken_stream=True)[1]
    assert prospect(stage, alias="h") == (["e"], True)


def test_a_prospect_has_a_classifier_and_every_route_that_can_serve(clock: ManualClock) -> None:
    routes = (Route("direct", "Facts.", "fast"), Route("deep", "Proofs.", "slow"))
    classifier = Classifier(
        model="cheap", routes=routes, default=routes[0], timeout_s=1.0, cache_ttl_s=60.0,
        max_characters=1000, configuration="c",
    )  # fmt: skip
    stage = Stage(
        clock,
        Model(name="auto", targets=(), classifier=classifier),
        model("cheap", "cheap"),
        model("fast", target("fast", capabilities=frozenset({CHAT}))),
        model("slow", target("slow", capabilities=frozenset({CHAT, TOOLS}))),
    )
    assert prospect(stage, alias="auto") == (["cheap", "fast", "slow"], True)
    demanding = frozenset({TOOLS})
    assert prospect(stage, alias="auto", required=demanding) == (["cheap", "slow"], True)
    with pytest.raises(CallerError, match="image_input"):
        prospect(stage, alias="auto", required=frozenset({IMAGES}))
