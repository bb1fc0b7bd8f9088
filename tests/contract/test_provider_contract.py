"""What every implementation of the Provider port must do; see tests/support/subjects.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from interlingua_gateway.core.call import Attempt, Phase
from interlingua_gateway.core.errors import CallerError, Reason, UpstreamError
from interlingua_gateway.core.events import FinishReason, TokenCount, Usage
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import (
    CountRequest,
    EmbedInput,
    EmbedRequest,
    GenerateRequest,
    Message,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
)
from tests.support.subjects import ARGUMENTS, SUBJECTS, TEXT, Subject, turn

AT_ONCE_S = 0.1
WEATHER = Tool(name="weather", parameters_json_schema='{"type":"object"}')


@pytest.fixture(params=list(SUBJECTS))
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with SUBJECTS[request.param]() as subject:
        yield subject
    assert subject.open_connections() == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture(params=[False, True], ids=["whole", "stream"])
def streaming(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def ask(n: int | None = None) -> GenerateRequest:
    return GenerateRequest(
        model="alias",
        messages=(Message(role=Role.USER, parts=(Text(text="Say it"),)),),
        sampling=Sampling(n=n),
    )


def attempt(
    subject: Subject, scenario: str, streaming: bool, request: Request | None = None
) -> Attempt:
    target = Target(
        deployment=f"subject/{scenario}",
        provider="subject",
        model=subject.model_prefix + scenario,
        label=f"subject/{scenario}",
    )
    return Attempt(request or ask(), target, streaming=streaming)


async def test_text(subject: Subject, streaming: bool) -> None:
    tried = attempt(subject, "text", streaming)
    reply = await subject.provider.open(tried)
    assert tried.phase is Phase.FIRST_TOKEN
    assert (reply.start.deployment, reply.start.provider) == ("subject/text", "subject")
    assert reply.start.upstream_id
    answer = await reply.collect()
    (candidate,) = answer.candidates
    assert candidate.parts == (Text(text="".join(TEXT)),)
    assert candidate.finish.reason is FinishReason.STOP
    assert answer.usage == Usage(input_tokens=2, output_tokens=3)
    assert await reply.next() is None
    await reply.aclose()


async def test_stream_comes_in_batches_that_are_never_empty(subject: Subject) -> None:
    reply = await subject.provider.open(attempt(subject, "text", True))
    batches = [batch async for batch in reply]
    assert all(batches)
    texts = [event.text for batch in batches for event in batch if hasattr(event, "text")]
    assert "".join(texts) == "".join(TEXT)


async def test_whole_answer_is_one_batch(subject: Subject) -> None:
    reply = await subject.provider.open(attempt(subject, "text", False))
    assert reply.source is None
    assert len([batch async for batch in reply]) == 1


async def test_several_candidates(subject: Subject, streaming: bool) -> None:
    if not subject.several_candidates:
        with pytest.raises(CallerError) as raised:
            await subject.provider.open(attempt(subject, "text", streaming, ask(n=2)))
        assert raised.value.violations[0].subject == "sampling.candidate_count"
        return
    reply = await subject.provider.open(attempt(subject, "text", streaming, ask(n=2)))
    answer = await reply.collect()
    assert [candidate.index for candidate in answer.candidates] == [0, 1]
    assert {candidate.parts for candidate in answer.candidates} == {(Text(text="".join(TEXT)),)}
    assert answer.usage == Usage(input_tokens=2, output_tokens=6)


async def test_tools(subject: Subject, streaming: bool) -> None:
    request = GenerateRequest(model="alias", messages=ask().messages, tools=(WEATHER,))
    reply = await subject.provider.open(attempt(subject, "tools", streaming, request))
    (candidate,) = (await reply.collect()).candidates
    call = ToolCall(id="call_1", name="weather", arguments_json=ARGUMENTS)
    assert candidate.parts == (call,)
    assert candidate.finish.reason is FinishReason.TOOL_CALLS


async def test_embeddings(subject: Subject) -> None:
    inputs = (EmbedInput(text="red"), EmbedInput(text="green"), EmbedInput(text="blue"))
    request = EmbedRequest(model="alias", inputs=inputs)
    if not subject.embeds:
        with pytest.raises(CallerError):
            await subject.provider.open(attempt(subject, "text", False, request))
        return
    answer = await (await subject.provider.open(attempt(subject, "text", False, request))).collect()
    assert [vector.index for vector in answer.vectors] == [0, 1, 2]
    (size,) = {len(vector.data) for vector in answer.vectors}
    assert size >= 16
    assert size % 4 == 0
    assert len({vector.data for vector in answer.vectors}) == 3
    assert answer.usage == Usage(input_tokens=3)


async def test_token_count(subject: Subject) -> None:
    request = CountRequest(request=ask())
    answer = await (await subject.provider.open(attempt(subject, "text", False, request))).collect()
    assert isinstance(answer.token_count, TokenCount)
    assert answer.token_count.tokens > 0


async def test_models(subject: Subject) -> None:
    assert subject.lists <= set(await subject.provider.models())


async def test_failure_before_the_first_event(subject: Subject, streaming: bool) -> None:
    with pytest.raises(UpstreamError) as raised:
        await subject.provider.open(attempt(subject, "refused", streaming))
    assert raised.value.reason is Reason.UPSTREAM_RATE_LIMITED
    assert raised.value.retry_after_s == 7.0


async def test_break_after_the_first_event(subject: Subject) -> None:
    reply = await subject.provider.open(attempt(subject, "broken", True))
    with pytest.raises(UpstreamError) as raised:
        await reply.collect()
    assert raised.value.reason is Reason.UPSTREAM_UNAVAILABLE
    await reply.aclose()


async def test_break_before_the_answer_is_whole(subject: Subject) -> None:
    with pytest.raises(UpstreamError):
        await subject.provider.open(attempt(subject, "broken", False))


@pytest.mark.parametrize(
    ("scenario", "streaming"), [("silent", False), ("silent", True), ("stalled", False)]
)
async def test_cancel_before_the_first_event(
    subject: Subject, scenario: str, streaming: bool
) -> None:
    opening = asyncio.ensure_future(subject.provider.open(attempt(subject, scenario, streaming)))
    await subject.arrived()
    await turn()
    opening.cancel()
    await asyncio.wait_for(subject.upstream_gone(), AT_ONCE_S)
    with pytest.raises(asyncio.CancelledError):
        await opening


async def test_cancel_after_the_first_event(subject: Subject) -> None:
    reply = await subject.provider.open(attempt(subject, "stalled", True))
    assert await reply.next()
    reading = asyncio.ensure_future(reply.next())
    await turn()
    reading.cancel()
    await asyncio.wait_for(subject.upstream_gone(), AT_ONCE_S)
    with pytest.raises(asyncio.CancelledError):
        await reading
    await reply.aclose()


async def test_close_of_a_reply(subject: Subject) -> None:
    reply = await subject.provider.open(attempt(subject, "stalled", True))
    await reply.aclose()
    await asyncio.wait_for(subject.upstream_gone(), AT_ONCE_S)
    await reply.aclose()


async def test_close_of_the_provider_breaks_open_replies(subject: Subject) -> None:
    reply = await subject.provider.open(attempt(subject, "stalled", True))
    assert await reply.next()
    reading = asyncio.ensure_future(reply.next())
    await turn()
    await subject.provider.aclose()
    with pytest.raises(UpstreamError):
        await reading
    with pytest.raises(UpstreamError):
        await subject.provider.open(attempt(subject, "text", True))
    await subject.provider.aclose()


async def test_nothing_is_left_behind(subject: Subject) -> None:
    """Whole, streamed, refused, broken and cancelled calls leave no connection in use."""
    for _ in range(20):
        for scenario in ("text", "refused", "broken"):
            for streaming in (False, True):
                try:
                    reply = await subject.provider.open(attempt(subject, scenario, streaming))
                    await reply.collect()
                except UpstreamError:
                    assert scenario != "text"
        reply = await subject.provider.open(attempt(subject, "stalled", True))
        await reply.aclose()
    await turn()
    assert subject.open_connections() <= 1
