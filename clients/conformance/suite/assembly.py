"""Puts the events of a stream together, apart from any client, and looks for what must not be."""

from __future__ import annotations

from interlingua.v1.content_pb2 import Part
from interlingua.v1.generate_pb2 import (
    MEDIA_DELTA_KIND_IMAGE,
    Candidate,
    GenerateResponse,
    MediaDelta,
    ReasoningDelta,
    StreamGenerateResponse,
    ToolCallDelta,
)


class Assembly:
    """The answer that the events so far add up to."""

    def __init__(self) -> None:
        self.answer = GenerateResponse()
        self._kinds: list[str] = []
        self._sequence_faults: list[str] = []
        self._calls: dict[tuple[int, int], Part] = {}

    def add(self, event: StreamGenerateResponse) -> None:
        """Take the next event."""
        if event.sequence != len(self._kinds):
            self._sequence_faults.append(f"event {len(self._kinds)} has number {event.sequence}")
        kind = event.WhichOneof("event") or ""
        self._kinds.append(kind)
        match kind:
            case "start":
                self.answer.operation_id = event.start.operation_id
                self.answer.answered_by.CopyFrom(event.start.answered_by)
            case "usage":
                self.answer.usage.CopyFrom(event.usage)
            case "attempt":
                self.answer.report.attempts.append(event.attempt)
            case "completed":
                self.answer.usage.CopyFrom(event.completed.usage)
                self.answer.report.CopyFrom(event.completed.report)
            case _:
                self._of_candidate(kind, event)

    def faults(self, *, whole: bool) -> list[str]:
        """What is wrong with the stream; a whole one must have come to its end."""
        found = list(self._sequence_faults)
        if self._kinds and self._kinds[0] != "start":
            found.append(f"the first event is {self._kinds[0]}")
        if whole and self._kinds[-1:] != ["completed"]:
            found.append("the stream ended well without its last event")
        if self._kinds.count("completed") > whole:
            found.append("a stream that failed was completed")
        return found

    def _of_candidate(self, kind: str, event: StreamGenerateResponse) -> None:
        candidate = self._candidate(event.candidate_index)
        match kind:
            case "text_delta":
                self._part(candidate, "text").text += event.text_delta
            case "reasoning_delta":
                _reason(self._part(candidate, "reasoning"), event.reasoning_delta)
            case "tool_call_delta":
                self._call(candidate, event.tool_call_delta)
            case "media_delta":
                self._media(candidate, event.media_delta)
            case "logprobs":
                candidate.logprobs.extend(event.logprobs.tokens)
            case "finish":
                candidate.finish.CopyFrom(event.finish)

    def _candidate(self, index: int) -> Candidate:
        while len(self.answer.candidates) <= index:
            self.answer.candidates.add(index=len(self.answer.candidates))
        return self.answer.candidates[index]

    def _part(self, candidate: Candidate, kind: str) -> Part:
        """The last part if it is of `kind`, else a new one."""
        if candidate.parts and candidate.parts[-1].WhichOneof("content") == kind:
            return candidate.parts[-1]
        return candidate.parts.add()

    def _call(self, candidate: Candidate, delta: ToolCallDelta) -> None:
        key = candidate.index, delta.call_index
        if key not in self._calls:
            self._calls[key] = candidate.parts.add()
        call = self._calls[key].tool_call
        call.id, call.name = call.id or delta.id, call.name or delta.name
        call.arguments_json += delta.arguments_json_fragment

    def _media(self, candidate: Candidate, delta: MediaDelta) -> None:
        if delta.kind == MEDIA_DELTA_KIND_IMAGE:
            candidate.parts.add().image.CopyFrom(delta.media)
            return
        audio = self._part(candidate, "audio").audio
        data = audio.data + delta.media.data
        audio.MergeFrom(delta.media)
        audio.data = data


def _reason(part: Part, delta: ReasoningDelta) -> None:
    part.reasoning.text += delta.text
    part.reasoning.signature += delta.signature
    part.reasoning.redacted |= delta.redacted
