"""The deltas of a stream become the answer that they were taken from."""

from hypothesis import given
from hypothesis import strategies as st

from interlingua.record import StreamRecord
from interlingua.v1.content_pb2 import Media, Part, Reasoning, ToolCall
from interlingua.v1.generate_pb2 import (
    MEDIA_DELTA_KIND_AUDIO,
    MEDIA_DELTA_KIND_IMAGE,
    AnsweredBy,
    Attempt,
    CallReport,
    LogprobsDelta,
    MediaDelta,
    ReasoningDelta,
    StreamGenerateResponse,
    StreamStart,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from tests.clients.python.scripted import completed, delta, events

Event = StreamGenerateResponse


def record_of(*given: Event) -> StreamRecord:
    record = StreamRecord()
    for event in events(*given):
        record.add(event)
    return record


def parts_of(*given: Event) -> list[Part]:
    return list(record_of(*given).partial().raw.candidates[0].parts)


def call(index: int, fragment: str, call_id: str = "", name: str = "") -> Event:
    made = ToolCallDelta(call_index=index, id=call_id, name=name, arguments_json_fragment=fragment)
    return Event(tool_call_delta=made)


def thought(text: str = "", signature: bytes = b"", redacted: bool = False) -> Event:
    made = ReasoningDelta(text=text, signature=signature, redacted=redacted)
    return Event(reasoning_delta=made)


def sound(data: bytes, mime_type: str = "") -> Event:
    media = Media(data=data, mime_type=mime_type)
    return Event(media_delta=MediaDelta(kind=MEDIA_DELTA_KIND_AUDIO, media=media))


def test_text_around_interleaved_tool_calls():
    assert parts_of(
        delta("let "),
        delta("me see"),
        call(0, '{"a"', "1", "f"),
        call(1, "{", "2", "g"),
        call(0, ": 1}"),
        call(1, "}"),
        delta("done"),
    ) == [
        Part(text="let me see"),
        Part(tool_call=ToolCall(id="1", name="f", arguments_json='{"a": 1}')),
        Part(tool_call=ToolCall(id="2", name="g", arguments_json="{}")),
        Part(text="done"),
    ]


def test_a_signature_ends_a_thought():
    assert parts_of(
        thought("a"),
        thought("b"),
        thought(signature=b"s"),
        thought("c"),
        thought(signature=b"r", redacted=True),
        delta("text"),
    ) == [
        Part(reasoning=Reasoning(text="ab", signature=b"s")),
        Part(reasoning=Reasoning(text="c")),
        Part(reasoning=Reasoning(signature=b"r", redacted=True)),
        Part(text="text"),
    ]


def test_pictures_come_whole_and_sound_in_fragments():
    picture = Media(data=b"png", mime_type="image/png")
    drawn = MediaDelta(kind=MEDIA_DELTA_KIND_IMAGE, media=picture)
    first, second = Event(media_delta=drawn), Event(media_delta=drawn)
    assert parts_of(sound(b"a", "audio/wav"), sound(b"b"), first, second, sound(b"c")) == [
        Part(audio=Media(data=b"ab", mime_type="audio/wav")),
        Part(image=picture),
        Part(image=picture),
        Part(audio=Media(data=b"c")),
    ]


def test_logprobs_and_what_belongs_to_the_call():
    tokens = [TokenLogprob(token="a", logprob=-0.5), TokenLogprob(token="b", logprob=-1.5)]
    answered_by = AnsweredBy(model="gpt", provider="openai")
    failed = Attempt(deployment="first", error_reason="ERROR_REASON_UPSTREAM_TIMEOUT")
    taken = Attempt(deployment="second")
    record = record_of(
        Event(attempt=failed),
        Event(start=StreamStart(operation_id="op", answered_by=answered_by)),
        Event(logprobs=LogprobsDelta(tokens=tokens[:1])),
        Event(logprobs=LogprobsDelta(tokens=tokens[1:])),
        Event(usage=Usage(output_tokens=5)),
        Event(usage=Usage(output_tokens=9)),
    )
    partial = record.partial().raw
    assert list(partial.candidates[0].logprobs) == tokens
    assert partial.answered_by == answered_by
    assert partial.usage.output_tokens == 9
    assert list(partial.report.attempts) == [failed]
    report = CallReport(attempts=[failed, taken])
    end = completed(usage=Usage(output_tokens=10), report=report)
    end.sequence = 6
    record.add(end)
    record.end()
    assert record.response.raw.report == report
    assert record.response.usage.output_tokens == 10
    assert record.response.cost_usd is None


def test_candidates_in_order():
    record = record_of(delta("b", 1), delta("a", 0), delta("c", 1))
    texts = [one.parts[0].text for one in record.partial().candidates]
    assert texts == ["a", "bc"]


@given(st.lists(st.tuples(st.integers(0, 3), st.text(min_size=1)), min_size=1))
def test_no_text_is_lost(pieces):
    record = record_of(*(delta(text, index) for index, text in pieces))
    for candidate in record.partial().candidates:
        said = "".join(text for index, text in pieces if index == candidate.index)
        assert [part.text for part in candidate.parts] == [said]
