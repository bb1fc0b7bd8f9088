"""Turns litellm's answer objects, whole and in chunks, into the gateway's events."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec

from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import (
    AnswerEvent,
    Finish,
    FinishReason,
    LogprobsDelta,
    MediaDelta,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
    UsageUpdate,
)
from interlingua_gateway.core.types import Media, MediaKind
from interlingua_gateway.providers.litellm.fields import field, items, text, whole
from interlingua_gateway.providers.litellm.finishes import finish_of
from interlingua_gateway.providers.litellm.marks import Marks
from interlingua_gateway.providers.litellm.plain import Counted

_AUDIO_TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "pcm16": "audio/pcm",
    "opus": "audio/ogg",
}


class Decoder:
    """One answer of `wanted` candidates as far as it has come; feed it litellm's chunks, or its
    whole response once.

    Finishes come last, from what the upstream's own bytes said where their shape is known
    (`marks`): litellm reports finishes too early, and adds some to streams that just stop.
    """

    __slots__ = (
        "_audio_type",
        "_calls",
        "_marks",
        "_refused",
        "_seen",
        "_usage",
        "_wanted",
        "_words",
    )

    def __init__(self, marks: Marks, wanted: int, audio_format: str) -> None:
        self._marks = marks
        self._audio_type = _AUDIO_TYPES.get(audio_format, f"audio/{audio_format or 'wav'}")
        self._wanted = wanted
        self._refused: set[int] = set()
        self._seen: set[int] = set()
        self._words: dict[int, str] = {}
        self._calls: dict[int, list[tuple[int, str]]] = {}
        self._usage = Usage()

    def response(self, response: object) -> list[AnswerEvent]:
        """The events of a whole response.

        Raises:
            UpstreamError: the response holds no candidate.
        """
        choices = items(response, "choices")
        if not choices:
            raise _invalid("The provider's answer holds no candidate.")
        events: list[AnswerEvent] = []
        for position, choice in enumerate(choices):
            index = position if field(choice, "index") is None else whole(choice, "index")
            self._delta(events, index, field(choice, "message"), streamed=False)
            self._tail(events, index, choice)
        self._count(events, response)
        events.extend(self.end())
        return events

    def chunk(self, chunk: object) -> list[AnswerEvent]:
        """The events of one chunk of a stream, which may be a piece of text as it is; none for
        chunks that only prepare others."""
        if type(chunk) is TextDelta:
            self._seen.add(chunk.index)
            return [chunk]
        events: list[AnswerEvent] = []
        if type(chunk) is Counted:
            self._seen.add(chunk.piece.index)
            events.append(chunk.piece)
            self._grown(events, chunk.usage)
            return events
        if isinstance(chunk, dict) and "choices" not in chunk:
            self._generic(events, chunk)
        else:
            for choice in items(chunk, "choices"):
                index = whole(choice, "index")
                self._delta(events, index, field(choice, "delta"), streamed=True)
                self._tail(events, index, choice)
        self._count(events, chunk)
        return events

    def end(self) -> list[AnswerEvent]:
        """The finishes, at the end of the upstream's answer.

        Raises:
            UpstreamError: the upstream stopped before every candidate was finished.
        """
        marks = self._marks
        said = marks.words
        trusted = marks.known and not marks.ended
        ended = set(said) if trusted else self._words.keys() | said.keys()
        if not ended or not self._seen <= ended or (marks.known and not marks.complete):
            raise _invalid("The provider's answer ended without a finish reason.")
        if len(ended) < self._wanted:
            raise _invalid(f"The provider sent {len(ended)} of {self._wanted} candidates.")
        return [self._finish(index) for index in sorted(ended)]

    def _finish(self, index: int) -> Finish:
        said = self._marks.words.get(index, "")
        finish = finish_of(index, self._words.get(index, ""), said, self._marks.stop_sequence)
        if finish.reason is FinishReason.STOP and index in self._refused:
            return Finish(index, FinishReason.REFUSAL)
        return finish

    def _generic(self, events: list[AnswerEvent], chunk: dict[str, object]) -> None:
        """litellm's older chunk: flat, one candidate, at most one tool call."""
        index = 0  # such a chunk counts content blocks by its own index, not candidates
        self._seen.add(index)
        if piece := text(chunk, "text"):
            events.append(TextDelta(index, piece))
        if (call := field(chunk, "tool_use")) is not None:
            events.append(self._call(index, whole(call, "index"), call, streamed=True))
        if chunk.get("is_finished") is True:
            self._finished(index, text(chunk, "finish_reason"))

    def _delta(
        self, events: list[AnswerEvent], index: int, delta: object, *, streamed: bool
    ) -> None:
        self._seen.add(index)
        _reasoning(events, index, delta)
        if piece := text(delta, "content"):
            events.append(TextDelta(index, piece))
        if piece := text(delta, "refusal") or text(
            field(delta, "provider_specific_fields"), "refusal"
        ):
            self._refused.add(index)
            events.append(TextDelta(index, piece))
        for position, call in enumerate(items(delta, "tool_calls")):
            number = field(call, "index")
            number = number if isinstance(number, int) else position
            events.append(self._call(index, number, call, streamed=streamed))
        _media(events, index, delta, self._audio_type)

    def _call(self, index: int, number: int, call: object, *, streamed: bool) -> ToolCallDelta:
        """A fragment of a tool call; a new id under a used number begins a new call."""
        calls = self._calls.setdefault(index, [])
        known = next((at for at in reversed(range(len(calls))) if calls[at][0] == number), None)
        call_id = text(call, "id")
        begins = known is None or not streamed or (call_id and calls[known][1] not in ("", call_id))
        if begins or known is None:
            known = len(calls)
            calls.append((number, call_id))
            fresh = True
        else:
            fresh = not calls[known][1] and bool(call_id)
            calls[known] = (number, calls[known][1] or call_id)
        function = field(call, "function")
        return ToolCallDelta(
            index,
            known,
            id=call_id if fresh else "",
            name=text(function, "name") if fresh else "",
            arguments_json=text(function, "arguments"),
        )

    def _tail(self, events: list[AnswerEvent], index: int, choice: object) -> None:
        logprobs = field(choice, "logprobs")
        if tokens := (*items(logprobs, "content"), *items(logprobs, "refusal")):
            events.append(LogprobsDelta(index, tuple(_token(token) for token in tokens)))
        if word := text(choice, "finish_reason"):
            self._finished(index, word)

    def _finished(self, index: int, word: str) -> None:
        if self._words.get(index) != "tool_calls":
            self._words[index] = word

    def _count(self, events: list[AnswerEvent], owner: object) -> None:
        counted = field(owner, "usage")
        usage = usage_of(counted)
        if usage is None or self._marks.guesses_input:
            return
        if self._marks.guesses_reasoning:
            usage = msgspec.structs.replace(usage, reasoning_tokens=0)
        if tier := text(owner, "service_tier") or text(counted, "service_tier"):
            usage = msgspec.structs.replace(usage, service_tier=tier.lower())
        self._grown(events, usage)

    def _grown(self, events: list[AnswerEvent], usage: Usage) -> None:
        before = self._usage
        larger = {
            name: max(getattr(before, name), getattr(usage, name))
            for name in Usage.__struct_fields__
        }
        self._usage = msgspec.convert(larger, Usage)
        if self._usage != before:
            events.append(UsageUpdate(self._usage))


def usage_of(usage: object) -> Usage | None:
    """The tokens that the upstream counted, or None if it counted none."""
    entered = field(usage, "prompt_tokens_details")
    left = field(usage, "completion_tokens_details")
    written = field(entered, "cache_creation_token_details")
    found = Usage(
        input_tokens=whole(usage, "prompt_tokens"),
        output_tokens=whole(usage, "completion_tokens"),
        cached_input_tokens=whole(entered, "cached_tokens"),
        cache_write_input_tokens=whole(entered, "cache_creation_tokens"),
        reasoning_tokens=whole(left, "reasoning_tokens"),
        audio_input_tokens=whole(entered, "audio_tokens"),
        audio_output_tokens=whole(left, "audio_tokens"),
        cache_write_1h_input_tokens=whole(written, "ephemeral_1h_input_tokens"),
        image_input_tokens=whole(entered, "image_tokens"),
        image_output_tokens=whole(left, "image_tokens"),
    )
    return None if found == Usage() else found


def _reasoning(events: list[AnswerEvent], index: int, delta: object) -> None:
    blocks = items(delta, "thinking_blocks")
    flat = text(delta, "reasoning_content") or text(delta, "reasoning")
    if flat and not any(text(block, "thinking") for block in blocks):
        events.append(ReasoningDelta(index, flat))
    for block in blocks:
        if piece := text(block, "thinking"):
            events.append(ReasoningDelta(index, piece))
        if signature := text(block, "signature"):
            events.append(ReasoningDelta(index, signature=signature.encode()))
        if data := text(block, "data"):
            events.append(ReasoningDelta(index, signature=data.encode(), redacted=True))


def _media(events: list[AnswerEvent], index: int, delta: object, audio_mime: str) -> None:
    audio = field(delta, "audio")
    if data := text(audio, "data"):
        media = Media(kind=MediaKind.AUDIO, mime_type=audio_mime, data=_decoded(data))
        events.append(MediaDelta(index, media))
    if piece := text(audio, "transcript"):
        events.append(TextDelta(index, piece))
    for image in items(delta, "images"):
        if url := text(field(image, "image_url"), "url"):
            events.append(MediaDelta(index, _image(url)))


def _image(url: str) -> Media:
    head, comma, data = url.partition(";base64,")
    if not comma or not head.startswith("data:"):
        return Media(kind=MediaKind.IMAGE, mime_type="", uri=url)
    return Media(kind=MediaKind.IMAGE, mime_type=head[5:], data=_decoded(data))


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise _invalid("The provider sent media that is not valid base64.") from error


def _token(token: object) -> TokenLogprob:
    top = tuple(
        TopLogprob(text(other, "token"), _number(other), _bytes(other))
        for other in items(token, "top_logprobs")
    )
    return TokenLogprob(text(token, "token"), _number(token), _bytes(token), top)


def _number(token: object) -> float:
    value = field(token, "logprob")
    return float(value) if isinstance(value, int | float) else 0.0


def _bytes(token: object) -> bytes:
    return bytes(byte for byte in items(token, "bytes") if isinstance(byte, int) and byte < 256)


def _invalid(message: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, message)
