"""The scripted provider."""

from __future__ import annotations

import asyncio
import math
import struct

import pytest

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import (
    InternalError,
    Reason,
    Resource,
    UpstreamError,
    Violation,
)
from interlingua_gateway.core.events import (
    Answer,
    AnswerEvent,
    Finish,
    FinishReason,
    LogprobsDelta,
    TextDelta,
    Usage,
)
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import (
    EmbedInput,
    EmbedRequest,
    Media,
    MediaKind,
    Reasoning,
    Request,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
)
from interlingua_gateway.providers.script import (
    CallTool,
    Deltas,
    End,
    Fail,
    Say,
    Script,
    Show,
    Think,
    Wait,
    scripts_of,
)
from interlingua_gateway.providers.scripted import ScriptedProvider
from tests.support.manual_clock import ManualClock
from tests.support.openai import ask, user


def tried(request: Request, model: str = "echo", streaming: bool = True) -> Attempt:
    target = Target(deployment="d", provider="scripted", model=model, label="d")
    return Attempt(request, target, streaming=streaming)


async def answer(request: Request, script: Script | None = None, streaming: bool = True) -> Answer:
    scripts = {"*": script} if script is not None else {}
    provider = ScriptedProvider("scripted", clock=ManualClock(), scripts=scripts)
    return await (await provider.open(tried(request, streaming=streaming))).collect()


async def test_echo_says_the_last_user_message_word_by_word() -> None:
    provider = ScriptedProvider("scripted", clock=ManualClock())
    request = ask(messages=(user("first"), user("  two  words\n")))
    reply = await provider.open(tried(request))
    batches = [list(batch) async for batch in reply]
    assert batches[:2] == [[TextDelta(0, "  two")], [TextDelta(0, "  words\n")]]
    whole = await (await provider.open(tried(request, streaming=False))).collect()
    assert whole.candidates[0].parts == (Text(text="  two  words\n"),)
    assert whole.usage == Usage(3, 2)


async def test_echo_calls_the_tool_that_it_must_call() -> None:
    choice = ToolChoice(mode=ToolMode.REQUIRED)
    request = ask(tools=(Tool(name="f"),), tool_choice=choice)
    (candidate,) = (await answer(request)).candidates
    assert candidate.parts == (ToolCall(id="call_0", name="f", arguments_json="{}"),)
    assert candidate.finish.reason is FinishReason.TOOL_CALLS


@pytest.mark.parametrize(
    ("sampling", "text", "reason"),
    [
        (Sampling(max_output_tokens=2), "a b", FinishReason.LENGTH),
        (Sampling(max_output_tokens=3), "a b c", FinishReason.STOP),
        (Sampling(stop=("c", "b c")), "a ", FinishReason.STOP_SEQUENCE),
        (Sampling(stop=(" b",)), "a", FinishReason.STOP_SEQUENCE),
        (Sampling(stop=("x",)), "a b c", FinishReason.STOP),
    ],
)
async def test_limits(sampling: Sampling, text: str, reason: FinishReason) -> None:
    (candidate,) = (await answer(ask(messages=(user("a b c"),), sampling=sampling))).candidates
    assert candidate.parts == (Text(text=text),)
    assert candidate.finish.reason is reason


async def test_candidates_and_log_probabilities() -> None:
    sampling = Sampling(n=2, logprobs=True, top_logprobs=2)
    found = await answer(ask(messages=(user("a b"),), sampling=sampling))
    assert [candidate.index for candidate in found.candidates] == [0, 1]
    for candidate in found.candidates:
        assert [token.token for token in candidate.logprobs] == ["a", " b"]
        assert all(len(token.top) == 2 and token.logprob <= 0 for token in candidate.logprobs)
    assert LogprobsDelta(0, found.candidates[0].logprobs)


async def test_steps() -> None:
    script = (Think("hm hm", "sig"), Say("yes"), CallTool("c", "f", '{"a":1}'))
    found = await answer(ask(), script)
    assert found.candidates[0].parts == (
        Reasoning(text="hm hm", signature=b"sig"),
        Text(text="yes"),
        ToolCall(id="c", name="f", arguments_json='{"a":1}'),
    )
    assert found.usage == Usage(1, 4, reasoning_tokens=2)


async def test_waits_on_the_injected_clock() -> None:
    clock = ManualClock()
    script = (Say("a b", pause_s=5), Wait(10), Say("c"))
    provider = ScriptedProvider("scripted", clock=clock, scripts={"*": script})
    reply = await provider.open(tried(ask()))
    said: list[AnswerEvent] = []

    async def listen() -> None:
        async for batch in reply:
            said.extend(batch)

    listening = asyncio.ensure_future(listen())
    await clock.until_waiting()
    assert said == [TextDelta(0, "a")]
    clock.advance(5)
    await clock.until_waiting()
    assert said[1:] == [TextDelta(0, " b")]
    clock.advance(10)
    await listening
    assert said[2] == TextDelta(0, "c")


async def test_failure() -> None:
    script = (Say("a"), Fail(Reason.UPSTREAM_RATE_LIMITED, "slow", 3.0))
    for streaming in (True, False):
        with pytest.raises(UpstreamError) as raised:
            await answer(ask(), script, streaming)
        assert (raised.value.reason, raised.value.retry_after_s) == (script[1].reason, 3.0)


async def test_embeddings_depend_on_the_text_alone() -> None:
    inputs = (EmbedInput(text="a"), EmbedInput(text="b"), EmbedInput(text="a"))
    found = (await answer(EmbedRequest(model="m", inputs=inputs))).vectors
    assert found[0].data == found[2].data != found[1].data
    assert math.isclose(math.hypot(*struct.unpack("<32f", found[0].data)), 1, rel_tol=1e-6)


def test_scripts_of_a_configuration() -> None:
    configured = {
        "hello": "Hello there",
        "slow": [{"do": "wait", "seconds": 2}, {"do": "say", "text": "x"}, {"do": "hang"}],
        "down": [{"do": "fail", "reason": "UPSTREAM_TIMEOUT", "retry_after_s": 3}],
    }
    scripts = scripts_of(configured)
    assert scripts["hello"] == (Say("Hello there"),)
    assert scripts["slow"][:2] == (Wait(2), Say("x"))
    assert scripts["down"] == (Fail(Reason.UPSTREAM_TIMEOUT, "The script fails here.", 3.0),)


@pytest.mark.parametrize(
    "script", [7, [{"do": "dance"}], [{"do": "say"}], [{"do": "say", "text": "x", "txt": "y"}]]
)
def test_script_that_is_none(script: object) -> None:
    with pytest.raises(InternalError, match="'bad'"):
        scripts_of({"bad": script})


async def test_deltas_come_as_they_are_written() -> None:
    script = (Deltas(("a", "\u0301b"), times=2), Deltas(("x",), repeat=3))
    provider = ScriptedProvider("scripted", clock=ManualClock(), scripts={"*": script})
    reply = await provider.open(tried(ask()))
    events = [event async for batch in reply for event in batch]
    said = [event.text for event in events if isinstance(event, TextDelta)]
    assert said == ["a", "\u0301b", "a", "\u0301b", "xxx"]


async def test_media_and_another_end() -> None:
    configured = {
        "m": [
            {"do": "show", "kind": "image", "mime_type": "image/png", "data": "iVA="},
            {"do": "end", "reason": "other", "upstream_reason": "tired"},
        ]
    }
    script = scripts_of(configured)["m"]
    assert script == (
        Show(MediaKind.IMAGE, "image/png", b"\x89P"),
        End(FinishReason.OTHER, "tired"),
    )
    (candidate,) = (await answer(ask(), script)).candidates
    assert candidate.parts == (Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"\x89P"),)
    assert candidate.finish == Finish(0, FinishReason.OTHER, upstream_reason="tired")


async def test_failures_carry_what_the_script_says() -> None:
    violation, resource = Violation("seats", "none left"), Resource("model", "m")
    step = Fail(
        Reason.QUEUE_FULL, "Full.", 2, (violation,), resource=resource, metadata={"limit": "seats"}
    )
    with pytest.raises(UpstreamError) as failed:
        await answer(ask(), (step,))
    assert failed.value.violations == (violation,)
    assert failed.value.resource == resource
    assert failed.value.metadata == {"limit": "seats"}
    assert failed.value.retry_after_s == 2


async def test_some_performances_pass_a_failure() -> None:
    script = (Fail(passes_every=3), Say("third"))
    provider = ScriptedProvider("scripted", clock=ManualClock(), scripts={"*": script})
    outcomes = []
    for _ in range(6):
        try:
            reply = await provider.open(tried(ask(), streaming=False))
            outcomes.append((await reply.collect()).candidates[0].parts)
        except UpstreamError:
            outcomes.append(None)
    third = (Text(text="third"),)
    assert outcomes == [None, None, third, None, None, third]
