"""Observations become a normal form, and what must never be becomes a fault."""

from __future__ import annotations

import base64
import struct

import pytest
from google.protobuf.message import Message

from interlingua.v1.content_pb2 import Media, Part
from interlingua.v1.embed_pb2 import Embedding, EmbedResponse
from interlingua.v1.generate_pb2 import (
    FINISH_REASON_STOP,
    MEDIA_DELTA_KIND_AUDIO,
    Candidate,
    Finish,
    GenerateResponse,
    MediaDelta,
    ReasoningDelta,
    StreamCompleted,
    StreamGenerateResponse,
    StreamStart,
    ToolCallDelta,
)
from suite.normal import Malformed, normal

Event = StreamGenerateResponse


def packed(message: Message) -> str:
    return base64.b64encode(message.SerializeToString()).decode()


def stream(*events: Event, **observed: object) -> dict[str, object]:
    """The normal form of a stream whose events are numbered as they should be."""
    for number, event in enumerate(events):
        event.sequence = number
    return normal("stream", {"events": [packed(event) for event in events], **observed})


def start() -> Event:
    return Event(start=StreamStart())


def completed() -> Event:
    return Event(completed=StreamCompleted())


def test_a_whole_answer() -> None:
    candidate = Candidate(parts=[Part(text="hi")], finish=Finish(reason=FINISH_REASON_STOP))
    response = packed(GenerateResponse(candidates=[candidate]))
    form = normal("generate", {"response": response, "text": "hi"})
    assert (form["text"], form["finish"], form["faults"]) == ("hi", "STOP", [])
    other = normal("generate", {"response": response, "text": "ho"})
    assert other["faults"] == ["text is 'ho', but the message has another"]


def test_a_stream_is_put_together() -> None:
    call = ToolCallDelta(id="c", name="f", arguments_json_fragment="{")
    sound = MediaDelta(kind=MEDIA_DELTA_KIND_AUDIO, media=Media(mime_type="a/b", data=b"x"))
    form = stream(
        start(),
        Event(reasoning_delta=ReasoningDelta(text="hm")),
        Event(reasoning_delta=ReasoningDelta(signature=b"s")),
        Event(text_delta="h"),
        Event(text_delta="i"),
        Event(tool_call_delta=call),
        Event(tool_call_delta=ToolCallDelta(arguments_json_fragment="}")),
        Event(candidate_index=1, text_delta="other"),
        Event(media_delta=sound),
        Event(media_delta=sound),
        Event(finish=Finish(reason=FINISH_REASON_STOP)),
        completed(),
        text="hi",
    )
    assert form["faults"] == []
    assert (form["reasoning"], form["signature"], form["text"]) == ("hm", "s", "hi")
    assert form["tool_calls"] == [{"id": "c", "name": "f", "arguments_json": "{}"}]
    (media,) = form["media"]  # type: ignore[misc,attr-defined]
    assert media["size"] == 2
    assert [one["text"] for one in form["candidates"]] == ["hi", "other"]  # type: ignore[attr-defined]
    assert form["events"] == {
        "start": 1,
        "reasoning_delta": 2,
        "text_delta": 3,
        "tool_call_delta": 2,
        "media_delta": 2,
        "finish": 1,
        "completed": 1,
    }


def test_faults_of_streams() -> None:
    def faults(*events: Event, **observed: object) -> object:
        return stream(*events, text="", **observed)["faults"]

    assert faults(start(), completed()) == []
    assert faults(start()) == ["the stream ended well without its last event"]
    assert faults(start(), error={"code": "ABORTED"}) == []
    assert faults(start(), cancelled=True) == []
    assert faults(completed()) == ["the first event is completed"]
    assert faults(start(), completed(), error={}) == ["a stream that failed was completed"]
    assert faults(start(), Event(text_delta="a"), completed()) == [
        "text is not what the text deltas add up to"
    ]
    lost = [packed(start()), packed(completed())]
    assert normal("stream", {"events": lost, "text": ""})["faults"] == ["event 1 has number 0"]


def test_vectors_are_compared_with_the_message() -> None:
    data = struct.pack("<2f", 0.5, -1)
    seen = base64.b64encode(data).decode()
    for embedding in (Embedding(values=[0.5, -1]), Embedding(float32_le=data)):
        response = packed(EmbedResponse(embeddings=[embedding]))
        form = normal("embed", {"response": response, "vectors": [seen]})
        assert form["faults"] == []
        (vector,) = form["vectors"]  # type: ignore[misc,attr-defined]
        assert vector["dimensions"] == 2
        other = normal("embed", {"response": response, "vectors": [seen, seen]})
        assert other["faults"] == ["vectors are not those of the message"]


def test_errors_have_all_their_keys() -> None:
    form = normal("generate", {"error": {"code": "NOT_FOUND", "resource": {"type": "model"}}})
    assert form["error"] == {
        "code": "NOT_FOUND",
        "reason": "",
        "message": "",
        "retry_after_ms": None,
        "violations": [],
        "resource": {"type": "model"},
        "metadata": {},
    }


def test_a_crash_is_a_fault() -> None:
    assert normal("generate", {"crash": "boom"})["faults"] == ["the runner crashed: boom"]


@pytest.mark.parametrize(
    ("op", "observed"),
    [
        ("generate", {"response": "not base64!"}),
        ("generate", {"response": 7}),
        ("generate", {"response": base64.b64encode(b"\xff\xff").decode()}),
        ("stream", {"events": "x"}),
        ("batch", {"results": ["x"]}),
        ("drain", {}),
    ],
)
def test_malformed(op: str, observed: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        normal(op, observed)
