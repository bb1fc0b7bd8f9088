"""Answers that are kept: what is written of one, and how it becomes a reply again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.call import Call, Ending
from interlingua_gateway.core.collect import Collector
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.events import (
    Answer,
    AnswerEvent,
    Batch,
    Candidate,
    FinishReason,
    LogprobsDelta,
    MediaDelta,
    Outcome,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageUpdate,
)
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.types import (
    EmbedRequest,
    Media,
    Reasoning,
    Text,
    ToolCall,
)

_COMPLETE: Final = frozenset(
    {FinishReason.STOP, FinishReason.STOP_SEQUENCE, FinishReason.TOOL_CALLS}
)


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An answer with who gave it, when (seconds since the epoch), and to which request
    (`Fingerprints.of_request`)."""

    answer: Answer
    start: Start
    made_at_s: float
    request: str

    def reply(self) -> Reply:
        """The answer as a whole reply, as its upstream measured it."""
        return Reply(self.start, tuple(_events(self.answer)))


class KeptCodec:
    """Kept answers to bytes and back."""

    __slots__ = ("_decoder", "_encoder")

    def __init__(self) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Kept)

    def encode(self, kept: Kept) -> bytes:
        """The bytes of `kept`."""
        return self._encoder.encode(kept)

    def decode(self, data: bytes | None) -> Kept | None:
        """What is kept in `data`; None for bytes that are no such thing."""
        if data is None:
            return None
        try:
            return self._decoder.decode(data)
        except msgspec.MsgspecError:
            return None


class Recording:
    """Follows one answer as it passes."""

    __slots__ = ("_batches", "_start")

    def __init__(self, reply: Reply) -> None:
        self._start = reply.start
        self._batches: list[Batch] = []
        reply.tap(self._batches.append)

    def kept(self, ending: Ending, made_at_s: float, request: str) -> Kept | None:
        """The answer, if it came whole to a caller that took all of it."""
        if ending.outcome is not Outcome.OK:
            return None
        collector = Collector()
        for batch in self._batches:
            collector.add(batch)
        try:
            answer = collector.answer()
        except GatewayError:
            return None
        return Kept(answer, self._start, made_at_s, request)


def is_complete(call: Call, answer: Answer) -> bool:
    """May `answer` stand for every answer to the request: every candidate said something and came
    to the end that the model chose, every input has its vector?"""
    if isinstance(call.request, EmbedRequest):
        return len(answer.vectors) == len(call.request.inputs)
    if answer.token_count is not None:
        return not answer.token_count.estimated
    return bool(answer.candidates) and all(
        candidate.parts and candidate.finish.reason in _COMPLETE for candidate in answer.candidates
    )


def labels_of(call: Call, request: str) -> Sequence[str]:
    """By what the answer to `call` can be removed."""
    return (
        f"operation:{call.id}",
        f"model:{call.request.model}",
        f"tenant:{call.caller.tenant}",
        f"request:{request}",
        *(f"tag:{tag}" for tag in call.tags),
    )


def _events(answer: Answer) -> Iterator[AnswerEvent]:
    events: list[AnswerEvent] = [*answer.vectors]
    if answer.token_count is not None:
        events.append(answer.token_count)
    for candidate in answer.candidates:
        events.extend(_candidate_events(candidate))
    if answer.usage is not None:
        events.append(UsageUpdate(answer.usage))
    return iter(events)


def _candidate_events(candidate: Candidate) -> Sequence[AnswerEvent]:
    index = candidate.index
    events: list[AnswerEvent] = []
    calls = 0
    for part in candidate.parts:
        if isinstance(part, Text):
            events.append(TextDelta(index, part.text))
        elif isinstance(part, ToolCall):
            events.append(ToolCallDelta(index, calls, part.id, part.name, part.arguments_json))
            calls += 1
        elif isinstance(part, Media):
            events.append(MediaDelta(index, part))
        else:
            events.extend(_reasoning_events(index, part))
    if candidate.logprobs:
        events.append(LogprobsDelta(index, candidate.logprobs))
    return [*events, candidate.finish]


def _reasoning_events(index: int, part: Reasoning) -> Sequence[AnswerEvent]:
    events: list[AnswerEvent] = []
    if part.text:
        events.append(ReasoningDelta(index, part.text))
    if part.signature or part.redacted:
        events.append(ReasoningDelta(index, "", part.signature, part.redacted))
    return events
