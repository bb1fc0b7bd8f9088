"""Adds up the events of a reply to one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import (
    Answer,
    Batch,
    Candidate,
    Finish,
    LogprobsDelta,
    MediaDelta,
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


class _TextPart:
    __slots__ = ("pieces",)

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def close(self) -> Text:
        return Text(text="".join(self.pieces))


class _ReasoningPart:
    """Reasoning until its signature; what follows a signature is a part of its own."""

    __slots__ = ("pieces", "redacted", "signature")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.signature = b""
        self.redacted = False

    def close(self) -> Reasoning:
        return Reasoning(
            text="".join(self.pieces), signature=self.signature, redacted=self.redacted
        )


class _CallPart:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

    def close(self) -> ToolCall:
        return ToolCall(id=self.id, name=self.name, arguments_json="".join(self.arguments))


class _MediaPart:
    """Audio comes in fragments that are joined; an image comes whole."""

    __slots__ = ("first", "pieces")

    def __init__(self, first: Media) -> None:
        self.first = first
        self.pieces = [first.data or b""]

    def close(self) -> Media:
        if self.first.uri is not None:
            return self.first
        return Media(
            kind=self.first.kind, mime_type=self.first.mime_type, data=b"".join(self.pieces)
        )


class _Growing:
    """One candidate as far as it has come; its parts stand in the order in which they began."""

    __slots__ = ("calls", "finish", "logprobs", "parts")

    def __init__(self) -> None:
        self.parts: list[_TextPart | _ReasoningPart | _CallPart | _MediaPart] = []
        self.calls: dict[int, _CallPart] = {}
        self.logprobs: list[TokenLogprob] = []
        self.finish: Finish | None = None

    def _last(self) -> _TextPart | _ReasoningPart | _CallPart | _MediaPart | None:
        """The part that may go on; sound is none, it runs beside its transcript."""
        for part in reversed(self.parts):
            if not (isinstance(part, _MediaPart) and part.first.kind is MediaKind.AUDIO):
                return part
        return None

    def text(self, event: TextDelta) -> None:
        last = self._last()
        if not isinstance(last, _TextPart):
            last = _TextPart()
            self.parts.append(last)
        last.pieces.append(event.text)

    def reasoning(self, event: ReasoningDelta) -> None:
        last = self._last()
        if not isinstance(last, _ReasoningPart) or last.signature:
            last = _ReasoningPart()
            self.parts.append(last)
        last.pieces.append(event.text)
        last.signature = event.signature
        last.redacted = event.redacted

    def tool_call(self, event: ToolCallDelta) -> None:
        part = self.calls.get(event.call)
        if part is None:
            part = self.calls[event.call] = _CallPart()
            self.parts.append(part)
        part.id = part.id or event.id
        part.name = part.name or event.name
        part.arguments.append(event.arguments_json)

    def media(self, event: MediaDelta) -> None:
        if event.media.kind is MediaKind.AUDIO:
            for part in self.parts:
                if isinstance(part, _MediaPart) and part.first.kind is MediaKind.AUDIO:
                    part.pieces.append(event.media.data or b"")
                    return
        self.parts.append(_MediaPart(event.media))

    def close(self, index: int) -> Candidate:
        if self.finish is None:
            raise UpstreamError(
                Reason.UPSTREAM_INVALID_RESPONSE, "The provider's answer has no finish reason."
            )
        return Candidate(
            index=index,
            parts=tuple(part.close() for part in self.parts),
            finish=self.finish,
            logprobs=tuple(self.logprobs),
        )


class Collector:
    """Feed it every batch, then ask for the answer."""

    __slots__ = ("_candidates", "_token_count", "_usage", "_vectors")

    def __init__(self) -> None:
        self._candidates: dict[int, _Growing] = {}
        self._vectors: list[Vector] = []
        self._token_count: TokenCount | None = None
        self._usage: Usage | None = None

    def add(self, batch: Batch) -> None:
        """Take in the next batch."""
        for event in batch:
            if isinstance(event, Vector):
                self._vectors.append(event)
            elif isinstance(event, UsageUpdate):
                self._usage = event.usage
            elif isinstance(event, TokenCount):
                self._token_count = event
            elif (handler := _GROW.get(type(event))) is not None:
                handler(self._candidate(event.index), event)  # type: ignore[union-attr]

    def _candidate(self, index: int) -> _Growing:
        growing = self._candidates.get(index)
        if growing is None:
            growing = self._candidates[index] = _Growing()
        return growing

    def answer(self) -> Answer:
        """The sum of everything added.

        Raises:
            UpstreamError: a candidate has no finish.
        """
        ordered = sorted(self._candidates.items())
        return Answer(
            candidates=tuple(growing.close(index) for index, growing in ordered),
            vectors=tuple(sorted(self._vectors, key=lambda vector: vector.index)),
            token_count=self._token_count,
            usage=self._usage,
        )


def _finish(growing: _Growing, event: Finish) -> None:
    growing.finish = event


def _logprobs(growing: _Growing, event: LogprobsDelta) -> None:
    growing.logprobs.extend(event.tokens)


_GROW: Mapping[type, Callable[..., None]] = {
    TextDelta: _Growing.text,
    ReasoningDelta: _Growing.reasoning,
    ToolCallDelta: _Growing.tool_call,
    MediaDelta: _Growing.media,
    LogprobsDelta: _logprobs,
    Finish: _finish,
}
