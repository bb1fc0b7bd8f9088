"""Adding up events to one answer."""

from __future__ import annotations

import pytest

from interlingua_gateway.core.collect import Collector
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import (
    AttemptMade,
    AttemptRecord,
    Finish,
    FinishReason,
    LogprobsDelta,
    MediaDelta,
    Outcome,
    ReasoningDelta,
    TextDelta,
    TokenCount,
    TokenLogprob,
    ToolCallDelta,
    Usage,
    UsageUpdate,
    Vector,
)
from interlingua_gateway.core.types import Media, MediaKind, Reasoning, Text, ToolCall

END = Finish(0, FinishReason.STOP)


def answer(*events):
    collector = Collector()
    for event in events:
        collector.add((event,))
    return collector.answer()


def parts(*events):
    (candidate,) = answer(*events, END).candidates
    return candidate.parts


def test_pieces_of_text_are_joined_and_other_parts_stand_between_them():
    found = parts(
        ReasoningDelta(0, "h"),
        ReasoningDelta(0, "m"),
        ReasoningDelta(0, signature=b"s"),
        ReasoningDelta(0, "more"),
        TextDelta(0, "a"),
        TextDelta(0, "b"),
        ToolCallDelta(0, 0, "1", "f", '{"x"'),
        ToolCallDelta(0, 1, "2", "g", "{}"),
        ToolCallDelta(0, 0, arguments_json=":1}"),
        TextDelta(0, "c"),
    )
    assert found == (
        Reasoning(text="hm", signature=b"s"),
        Reasoning(text="more"),
        Text(text="ab"),
        ToolCall(id="1", name="f", arguments_json='{"x":1}'),
        ToolCall(id="2", name="g", arguments_json="{}"),
        Text(text="c"),
    )


def test_sound_is_joined_and_pictures_are_not():
    def sound(data: bytes) -> MediaDelta:
        return MediaDelta(0, Media(kind=MediaKind.AUDIO, mime_type="audio/wav", data=data))

    picture = MediaDelta(0, Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"p"))
    linked = MediaDelta(0, Media(kind=MediaKind.IMAGE, mime_type="", uri="https://a/b"))
    found = parts(sound(b"1"), sound(b"2"), picture, picture, linked, sound(b"3"))
    assert [part.data for part in found] == [b"123", b"p", b"p", None]
    assert found[3].uri == "https://a/b"


def test_candidates_are_told_apart_and_ordered():
    both = answer(
        TextDelta(1, "b"),
        TextDelta(0, "a"),
        Finish(1, FinishReason.LENGTH),
        LogprobsDelta(0, (TokenLogprob("a", -1.0),)),
        END,
    )
    assert [c.index for c in both.candidates] == [0, 1]
    assert [c.parts[0].text for c in both.candidates] == ["a", "b"]
    assert both.candidates[0].logprobs == (TokenLogprob("a", -1.0),)
    assert both.candidates[1].finish.reason is FinishReason.LENGTH


def test_usage_replaces_and_vectors_are_sorted():
    record = AttemptMade(AttemptRecord("d", "p", "m", Outcome.FAILED))
    whole = answer(
        Vector(1, b"b"),
        UsageUpdate(Usage(1, 1)),
        record,
        Vector(0, b"a"),
        UsageUpdate(Usage(2, 3)),
        TokenCount(7, estimated=True),
    )
    assert [vector.data for vector in whole.vectors] == [b"a", b"b"]
    assert whole.usage == Usage(2, 3)
    assert whole.token_count == TokenCount(7, estimated=True)
    assert whole.candidates == ()


def test_a_candidate_without_an_end_is_no_answer():
    with pytest.raises(UpstreamError) as caught:
        answer(TextDelta(0, "a"), TextDelta(1, "b"), END)
    assert caught.value.reason is Reason.UPSTREAM_INVALID_RESPONSE
