"""Puts the parts of one candidate together from the deltas of a stream."""

from interlingua.v1.content_pb2 import Media, Part, Reasoning, ToolCall
from interlingua.v1.generate_pb2 import (
    Candidate,
    Finish,
    MediaDelta,
    MediaDeltaKind,
    ReasoningDelta,
    StreamGenerateResponse,
    TokenLogprob,
    ToolCallDelta,
)

CANDIDATE_EVENTS = frozenset(
    {"text_delta", "reasoning_delta", "tool_call_delta", "media_delta", "logprobs", "finish"}
)
"""The events that belong to a candidate; the others belong to the whole call."""


class _Text:
    """A text part in the making."""

    def __init__(self) -> None:
        self.fragments: list[str] = []

    def part(self) -> Part:
        return Part(text="".join(self.fragments))


class _Thought:
    """A reasoning part in the making; its signature ends it."""

    def __init__(self) -> None:
        self.fragments: list[str] = []
        self.signature = b""
        self.redacted = False

    def part(self) -> Part:
        text = "".join(self.fragments)
        made = Reasoning(text=text, signature=self.signature, redacted=self.redacted)
        return Part(reasoning=made)


class _Call:
    """A tool call in the making."""

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.fragments: list[str] = []

    def part(self) -> Part:
        arguments = "".join(self.fragments)
        return Part(tool_call=ToolCall(id=self.id, name=self.name, arguments_json=arguments))


class _Sound:
    """A sound part in the making."""

    def __init__(self, first: Media) -> None:
        self.first = first
        self.fragments: list[bytes] = []

    def part(self) -> Part:
        made = Part(audio=self.first)
        if self.fragments:
            made.audio.data = b"".join(self.fragments)
        return made


class _Picture:
    """A picture; it comes whole."""

    def __init__(self, media: Media) -> None:
        self.media = media

    def part(self) -> Part:
        return Part(image=self.media)


class CandidateBuilder:
    """A candidate in the making: its parts in the order in which they began."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._parts: list[_Text | _Thought | _Call | _Sound | _Picture] = []
        self._calls: dict[int, _Call] = {}
        self._logprobs: list[TokenLogprob] = []
        self._finish: Finish | None = None

    def add(self, kind: str, event: StreamGenerateResponse) -> None:
        if kind == "text_delta":
            self._add_text(event.text_delta)
        elif kind == "reasoning_delta":
            self._add_reasoning(event.reasoning_delta)
        elif kind == "tool_call_delta":
            self._add_call(event.tool_call_delta)
        elif kind == "media_delta":
            self._add_media(event.media_delta)
        elif kind == "logprobs":
            self._logprobs.extend(event.logprobs.tokens)
        else:
            self._finish = event.finish

    def whole(self) -> Candidate:
        return Candidate(
            index=self._index,
            parts=[part.part() for part in self._parts],
            finish=self._finish,
            logprobs=self._logprobs,
        )

    def _add_text(self, text: str) -> None:
        last = self._parts[-1] if self._parts else None
        if not isinstance(last, _Text):
            self._parts.append(last := _Text())
        last.fragments.append(text)

    def _add_reasoning(self, delta: ReasoningDelta) -> None:
        last = self._parts[-1] if self._parts else None
        if not isinstance(last, _Thought) or last.signature or last.redacted != delta.redacted:
            self._parts.append(last := _Thought())
        last.fragments.append(delta.text)
        last.signature = delta.signature
        last.redacted = delta.redacted

    def _add_call(self, delta: ToolCallDelta) -> None:
        if (call := self._calls.get(delta.call_index)) is None:
            call = self._calls[delta.call_index] = _Call()
            self._parts.append(call)
        call.id = call.id or delta.id
        call.name = call.name or delta.name
        call.fragments.append(delta.arguments_json_fragment)

    def _add_media(self, delta: MediaDelta) -> None:
        if delta.kind != MediaDeltaKind.MEDIA_DELTA_KIND_AUDIO:
            self._parts.append(_Picture(delta.media))
            return
        last = self._parts[-1] if self._parts else None
        if not isinstance(last, _Sound):
            self._parts.append(last := _Sound(delta.media))
        last.fragments.append(delta.media.data)
