"""Calls of a program: with and without event loops, from several threads and loops at once."""

import asyncio
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop

from interlingua_gateway import (
    CallerError,
    GatewayError,
    InternalError,
    Media,
    MediaKind,
    Message,
    PolicyError,
    Reason,
    Role,
    Text,
    Tool,
    ToolChoice,
    ToolMode,
    UpstreamError,
    batch_generate,
    generate_embeddings,
    generate_text,
)
from interlingua_gateway.core.types import EmbedInput, GenerateRequest
from tests.support.endless import Endless, openai_tree
from tests.support.upstream import Upstream, Visit, whole

DOWN = [{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}]
SCHEMA = "tools[0].parameters_json_schema"
PICTURE = Media(kind=MediaKind.IMAGE, mime_type="a/b", uri="x:")
PRICED = {
    "models": [
        {
            "name": "default",
            "targets": [
                {
                    "provider": "stage",
                    "model": "echo",
                    "price": {"input_usd_per_million": 1, "output_usd_per_million": 2},
                }
            ],
        }
    ]
}


def test_a_whole_answer_without_an_event_loop(stage):
    gateway = stage(PRICED)
    result = gateway.generate("Hello there", temperature=0.5, tags=["x"], tenant_id="acme")
    assert result.text == "Hello there"
    assert result.finish_reason == "stop"
    assert (result.usage.input_tokens, result.usage.output_tokens) == (2, 2)
    assert result.cost_nano_usd == 6_000
    assert result.cost_usd == pytest.approx(6e-6)
    assert (result.model, result.provider, result.deployment) == ("default", "stage", "stage/echo")
    assert result.operation_id.startswith("op_")
    assert [attempt.outcome for attempt in result.attempts] == ["ok"]
    assert gateway.complete("Hello").text == "Hello"
    assert generate_text(gateway, "Hello") == "Hello"


def test_a_conversation_goes_on(stage):
    gateway = stage()
    first = gateway.generate([{"role": "user", "content": ["One ", Text(text="two")]}])
    assert first.text == "One two"
    request = [first.message, Message(role=Role.USER, parts=(Text(text="three"),))]
    assert gateway.generate(request).text == "three"
    whole_request = GenerateRequest(model="default", messages=tuple(request))
    assert gateway.generate(whole_request, tenant_id="acme").text == "three"


def test_a_tool_is_called(stage):
    tool = Tool(name="weather", parameters_json_schema='{"type": "object"}')
    result = stage().generate("Rain?", tools=[tool], tool_choice="required")
    assert [call.name for call in result.tool_calls] == ["weather"]
    assert result.finish_reason == "tool_calls"


def test_reasoning_is_shown_apart(stage):
    steps = [{"do": "think", "text": "hm"}, {"do": "say", "text": "yes"}]
    result = stage(deep=steps).generate("x", "deep")
    assert (result.reasoning, result.text) == ("hm", "yes")


def test_vectors(stage):
    gateway = stage()
    result = gateway.embed(["a", "b", "a"], dimensions=4, normalize=True)
    assert result.vectors[0] == result.vectors[2] != result.vectors[1]
    assert sum(value**2 for value in result.vectors[0]) == pytest.approx(1)
    assert result.buffers[1].tolist() == result.vectors[1]
    assert generate_embeddings(gateway, "a", dimensions=4) == result.vectors[:1]
    assert len(gateway.embed([[1, 2], EmbedInput(text="x")]).vectors) == 2


def test_a_batch_keeps_its_order_and_each_failure_in_its_place(stage):
    gateway = stage(down=DOWN)
    requests = [
        "one",
        GenerateRequest(model="down", messages=(Message(role=Role.USER, parts=(Text(text="x"),)),)),
        "three",
    ]
    one, failed, three = batch_generate(gateway, requests, max_parallel=2)
    assert (one.text, three.text) == ("one", "three")
    assert isinstance(failed, UpstreamError)
    assert failed.reason is Reason.UPSTREAM_UNAVAILABLE
    assert batch_generate(gateway, []) == []


async def test_more_inputs_than_the_provider_takes_make_several_calls(stage):
    sizes: list[int] = []

    async def answer(visit: Visit) -> bool:
        count = visit.body.count(b"t-")
        sizes.append(count)
        first = visit.body.partition(b"t-")[2].partition(b'"')[0].decode()
        vectors = ",".join(
            f'{{"index": {i}, "embedding": [{int(first) + i}.0]}}' for i in range(count)
        )
        body = f'{{"data": [{vectors}], "model": "e", "usage": {{"prompt_tokens": {count}}}}}'
        await visit.send(whole(body.encode()))
        return True

    async with Upstream(answer) as upstream:
        gateway = stage(openai_tree(upstream.url))
        result = await gateway.embed_async([f"t-{i}" for i in range(2050)])
        assert sorted(sizes) == [2, 2048]
        assert [vector[0] for vector in result.vectors] == [float(i) for i in range(2050)]
        assert [vector.index for vector in result.embeddings] == list(range(2050))
        assert result.usage.input_tokens == 2050


async def test_blocking_methods_in_a_thread_beside_a_running_loop(stage):
    gateway = stage()
    texts = await asyncio.gather(
        *(asyncio.to_thread(generate_text, gateway, f"text {i}") for i in range(8))
    )
    assert texts == [f"text {i}" for i in range(8)]


async def test_a_blocking_method_on_a_running_loop_blocks_it_and_no_more(stage):
    assert stage().generate("as in a notebook").text == "as in a notebook"


async def test_awaited(stage):
    gateway = stage()
    async with gateway.aio as aio:
        assert (await aio.generate("a")).text == "a"
        assert await generate_text(aio, "b") == "b"
        assert len(await generate_embeddings(aio, ["c", "d"])) == 2
        assert [one.text for one in await batch_generate(aio, ["e", "f"])] == ["e", "f"]
        assert "default" in [model.name for model in await aio.models()]
        assert (await gateway.generate_async("g")).text == "g"
        assert [one.text for one in await gateway.batch_async(["h"])] == ["h"]
    with pytest.raises(PolicyError):
        await gateway.generate_async("too late")


def test_two_kinds_of_loops_at_once(stage):
    gateway = stage()
    both = threading.Barrier(2)

    async def work() -> list[str]:
        both.wait()
        return [await generate_text(gateway.aio, str(i)) for i in range(20)]

    with ThreadPoolExecutor(2) as pool:
        plain = pool.submit(asyncio.run, work())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            mine = runner.run(work())
        assert plain.result() == mine == [str(i) for i in range(20)]


def test_a_call_has_its_own_time(stage):
    gateway = stage(slow=[{"do": "hang"}])
    with pytest.raises(CallerError) as caught:
        gateway.generate("x", "slow", timeout_s=0.05)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert caught.value.metadata["operation_id"].startswith("op_")


async def test_a_cancelled_task_cancels_its_call(stage):
    answer = Endless(silent=True)
    async with Upstream(answer) as upstream:
        gateway = stage(openai_tree(upstream.url))
        work = asyncio.ensure_future(gateway.generate_async("x"))
        await answer.asked.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await answer.left.wait()


def test_an_interrupted_call_is_cancelled(stage):
    gateway = stage(slow=[{"do": "hang"}])
    host = gateway._host

    def in_flight() -> bool:
        conditions = host.engine.routing.vitals.conditions
        return host.call(lambda: any(one.in_flight for one in conditions()))

    def interrupt() -> None:
        while not in_flight():
            pass
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        gateway.generate("x", "slow")
    thread.join()
    while in_flight():
        pass
    assert gateway.generate("x").text == "x"


def test_a_tenants_budget_holds(stage):
    rule = {"name": "small", "tenants": ["acme"], "limit_usd": "0.00002", "period": "total"}
    gateway = stage({**PRICED, "budgets": {"rules": [rule]}})
    gateway.generate("x", tenant_id="acme", max_output_tokens=1)
    with pytest.raises(PolicyError) as caught:
        gateway.generate("x", tenant_id="acme", max_output_tokens=1)
    assert caught.value.reason is Reason.BUDGET_EXCEEDED
    assert gateway.generate("x", max_output_tokens=1).text == "x"


def test_the_gateways_own_loop_is_not_blocked_by_itself(stage):
    gateway = stage()

    async def inside() -> None:
        gateway.generate("x")

    with pytest.raises(InternalError, match="_async"):
        gateway._host.wait(inside())


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"temperature": "hot"}, "sampling.temperature"),
        ({"temperature": 101.0}, "sampling.temperature"),
        ({"top_logprobs": 3}, "sampling.top_logprobs"),
        ({"stop_sequences": ["a", ""]}, "sampling.stop_sequences"),
        ({"logit_bias": {5: 101.0}}, "sampling.logit_bias"),
        ({"candidate_count": 129}, "sampling.candidate_count"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "perhaps", "tools": [Tool(name="t")]}, "tool_choice.mode"),
        (
            {"tool_choice": ToolChoice(mode=ToolMode.NAMED, name="u"), "tools": [Tool(name="t")]},
            "tool_choice.tool_name",
        ),
        ({"tools": [Tool(name="a b")]}, "tools[0].name"),
        ({"tools": [Tool(name="t"), Tool(name="t")]}, "tools[1].name"),
        (
            {"tools": [Tool(name="t", parameters_json_schema="[")]},
            SCHEMA,
        ),
        ({"response_format": "xml"}, "response_format"),
        ({"reasoning_effort": "some"}, "reasoning.effort"),
        ({"reasoning_budget_tokens": 0}, "reasoning.budget_tokens"),
        ({"modalities": ["smell"]}, "modalities[0]"),
        ({"provider_options": "no"}, "provider_options_json"),
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"cache_ttl_s": -1.0}, "cache.ttl"),
        ({"cache_mode": "never"}, "cache_mode"),
        ({"priority": "now"}, "priority"),
        ({"idempotency_key": "k" * 257}, "idempotency_key"),
        ({"tags": ["t"] * 33}, "tags"),
        ({"tags": ["t", "t" * 257]}, "tags[1]"),
        ({"metadata": {str(n): "" for n in range(33)}}, "metadata"),
        ({"metadata": {"k" * 65: ""}}, "metadata"),
        ({"metadata": {"k": "v" * 1025}}, "metadata[k]"),
        ({"unsupported_parameters": "drop"}, "unsupported_parameters"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(stage, options, field):
    with pytest.raises(CallerError) as caught:
        stage().generate("x", **options)
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert [one.subject for one in caught.value.violations] == [field]


@pytest.mark.parametrize(
    ("prompt", "field"),
    [
        ([], "messages"),
        ([{"role": "user"}], "messages[0]"),
        ([{"role": "user", "content": "x", "mood": "y"}], "messages[0]"),
        ([{"role": "king", "content": "x"}], "messages[0].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": [5]}], "messages[0].content[0]"),
        ([{"role": "user", "content": []}], "messages[0].parts"),
        (
            [
                {
                    "role": "system",
                    "content": [PICTURE],
                }
            ],
            "messages[0].parts[0]",
        ),
        (
            [{"role": "user", "content": [Media(kind=MediaKind.IMAGE, mime_type="", data=b"1")]}],
            "messages[0].parts[0].mime_type",
        ),
    ],
)
def test_what_is_wrong_with_a_prompt_is_named(stage, prompt, field):
    with pytest.raises(CallerError) as caught:
        stage().generate(prompt)
    assert [one.subject for one in caught.value.violations] == [field]


def test_an_option_that_there_is_not(stage):
    with pytest.raises(TypeError, match="temprature"):
        stage().generate("x", temprature=1)


def test_an_option_that_is_not_for_reports(stage):
    gateway = stage()
    for method in (gateway.models, gateway.health):
        with pytest.raises(TypeError, match="timeot_s"):
            method(timeot_s=1)


@pytest.mark.parametrize("texts", [[], [""], ["a", ()]])
def test_nothing_to_embed(stage, texts):
    with pytest.raises(CallerError, match="must not be empty"):
        stage().embed(texts)


def test_a_failure_of_the_gateway_itself_is_a_gateway_error(stage, caplog, monkeypatch):
    gateway = stage()

    async def broken(call: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(gateway._host.engine, "handle", broken)
    with pytest.raises(GatewayError) as caught:
        gateway.generate("x")
    assert caught.value.reason is Reason.INTERNAL
    assert "ZeroDivisionError" in caplog.text
