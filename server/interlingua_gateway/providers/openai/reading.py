"""Turns chat completions, whole or in chunks, into events."""

from __future__ import annotations

import binascii

import msgspec

from interlingua_gateway.core.call import Attempt
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
from interlingua_gateway.core.types import GenerateRequest, Media, MediaKind
from interlingua_gateway.providers.openai.shapes import (
    AudioShape,
    ChoiceShape,
    CompletionShape,
    DeltaShape,
    ImageShape,
    LogprobsShape,
    PartShape,
    ToolCallShape,
    TopShape,
    UsageShape,
)

_FINISH = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "tool_use": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.REFUSAL,
}
_BROKEN_OFF = frozenset({"error", "abort", "aborted", "insufficient_system_resource"})
"""Finish reasons by which a server says that it could not go on."""

_AUDIO_TYPES = {"mp3": "audio/mpeg", "pcm16": "audio/pcm", "opus": "audio/ogg"}


class Reading:
    """Reads the parts of one answer in turn and knows whether it is complete."""

    __slots__ = (
        "_audio_type",
        "_calls",
        "_finished",
        "_output_tokens",
        "_partial_usage",
        "_refused",
        "_seen",
        "_service_tier",
        "_streaming",
        "_wanted",
        "upstream_id",
        "upstream_model",
    )

    def __init__(
        self, attempt: Attempt, audio_format: str, *, usage_per_candidate: bool = False
    ) -> None:
        request = attempt.request
        n = request.sampling.n if isinstance(request, GenerateRequest) else None
        self._wanted = n or 1
        self._partial_usage = usage_per_candidate and self._wanted > 1
        self._streaming = attempt.streaming
        self._output_tokens = 0
        self._service_tier = ""
        self._audio_type = _AUDIO_TYPES.get(audio_format, f"audio/{audio_format}")
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._refused: set[int] = set()
        self._calls: dict[int, int] = {}
        self.upstream_model = ""
        self.upstream_id = ""

    def take(self, completion: CompletionShape, events: list[AnswerEvent]) -> None:
        """Append to `events` what `completion` brings.

        Raises:
            UpstreamError: the upstream says that it could not go on.
        """
        if not self.upstream_model or completion.service_tier:
            self._named(completion)
        for choice in completion.choices or ():
            delta = choice.delta or choice.message
            self._seen.add(choice.index)
            if delta is not None:
                self._delta(choice.index, delta, events)
            if choice.logprobs is not None:
                _logprobs(choice.index, choice.logprobs, events)
            if choice.finish_reason:
                self._finish(choice, events)
        shape = completion.usage
        if shape is None and completion.x_groq is not None:
            shape = completion.x_groq.usage
        if shape is not None:
            self._usage(shape, events)

    def _named(self, completion: CompletionShape) -> None:
        """What the upstream says of itself; the first chunk, and the last one of the tier."""
        self._service_tier = (completion.service_tier or self._service_tier).lower()
        if not self.upstream_model:
            self.upstream_id = self.upstream_id or completion.id or ""
            self.upstream_model = completion.model or ""

    def _usage(self, shape: UsageShape, events: list[AnswerEvent]) -> None:
        """Where each is of one candidate they are added up; a whole answer has only the first."""
        usage = usage_of(shape, self._service_tier)
        if not self._partial_usage:
            events.append(UsageUpdate(usage))
        elif self._streaming:
            self._output_tokens += usage.output_tokens
            total = msgspec.structs.replace(usage, output_tokens=self._output_tokens)
            events.append(UsageUpdate(total))

    def check_complete(self) -> None:
        """Every candidate that was asked for is there and has come to its end.

        Raises:
            UpstreamError: not so.
        """
        if len(self._finished) >= self._wanted and self._finished >= self._seen:
            return
        if not self._seen:
            raise _invalid("The provider's answer holds nothing.")
        if self._finished < self._seen:
            raise _invalid("The provider's answer ended without a finish reason.")
        raise _invalid(f"The provider sent {len(self._finished)} of {self._wanted} candidates.")

    def _delta(self, index: int, delta: DeltaShape, events: list[AnswerEvent]) -> None:
        reasoning = delta.reasoning_content or delta.reasoning
        if reasoning:
            events.append(ReasoningDelta(index, reasoning))
        content = delta.content
        if content:
            if isinstance(content, str):
                events.append(TextDelta(index, content))
            else:
                _parts(index, content, events)
        if delta.tool_calls:
            for call in delta.tool_calls:
                self._tool_call(index, call, events)
        if delta.refusal or delta.audio is not None or delta.images:
            self._seldom(index, delta, events)

    def _seldom(self, index: int, delta: DeltaShape, events: list[AnswerEvent]) -> None:
        if delta.refusal:
            self._refused.add(index)
            events.append(TextDelta(index, delta.refusal))
        if delta.audio is not None:
            self._audio(index, delta.audio, events)
        if delta.images:
            _images(index, delta.images, events)

    def _tool_call(self, index: int, call: ToolCallShape, events: list[AnswerEvent]) -> None:
        """A server that numbers no calls begins one with each id."""
        number = call.index
        if number is None:
            begun = self._calls.get(index, -1)
            number = begun + 1 if call.id or begun < 0 else begun
        self._calls[index] = number
        function = call.function
        name = function.name if function is not None else None
        arguments = function.arguments if function is not None else None
        events.append(ToolCallDelta(index, number, call.id or "", name or "", arguments or ""))

    def _audio(self, index: int, audio: AudioShape, events: list[AnswerEvent]) -> None:
        if audio.transcript:
            events.append(TextDelta(index, audio.transcript))
        if audio.data:
            media = Media(kind=MediaKind.AUDIO, mime_type=self._audio_type, data=audio.data)
            events.append(MediaDelta(index, media))

    def _finish(self, choice: ChoiceShape, events: list[AnswerEvent]) -> None:
        word = choice.finish_reason or ""
        if word in _BROKEN_OFF:
            raise UpstreamError(
                Reason.UPSTREAM_UNAVAILABLE, "The provider broke its answer off by its own word."
            )
        if choice.index in self._finished:
            return
        self._finished.add(choice.index)
        reason = _FINISH.get(word, FinishReason.OTHER)
        stop_sequence = choice.stop_reason if isinstance(choice.stop_reason, str) else ""
        if reason is FinishReason.STOP and choice.index in self._refused:
            reason = FinishReason.REFUSAL
        elif reason is FinishReason.STOP and stop_sequence:
            reason = FinishReason.STOP_SEQUENCE
        upstream = word if reason is FinishReason.OTHER else ""
        events.append(Finish(choice.index, reason, stop_sequence, upstream))


def usage_of(usage: UsageShape, service_tier: str = "") -> Usage:
    """The contract's usage. Output includes reasoning, also where the provider's count does not
    (its total then shows it, as xAI's does)."""
    given, made = usage.prompt_tokens_details, usage.completion_tokens_details
    prompt, output = usage.prompt_tokens or 0, usage.completion_tokens or 0
    reasoning = (made.reasoning_tokens or 0) if made is not None else 0
    if reasoning and usage.total_tokens == prompt + output + reasoning:
        output += reasoning
    cached = given.cached_tokens if given is not None else None
    if cached is None:
        cached = usage.prompt_cache_hit_tokens or usage.cached_tokens or 0
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_input_tokens=cached,
        cache_write_input_tokens=(given.cache_write_tokens or 0) if given is not None else 0,
        reasoning_tokens=reasoning,
        audio_input_tokens=(given.audio_tokens or 0) if given is not None else 0,
        audio_output_tokens=(made.audio_tokens or 0) if made is not None else 0,
        image_input_tokens=(given.image_tokens or 0) if given is not None else 0,
        image_output_tokens=(made.image_tokens or 0) if made is not None else 0,
        service_tier=service_tier,
    )


def _parts(index: int, parts: list[PartShape], events: list[AnswerEvent]) -> None:
    for part in parts:
        if part.thinking:
            thought = "".join(piece.text or "" for piece in part.thinking)
            events.append(ReasoningDelta(index, thought))
        elif part.text:
            events.append(TextDelta(index, part.text))


def _images(index: int, images: list[ImageShape], events: list[AnswerEvent]) -> None:
    for image in images:
        url = image.image_url.url if image.image_url is not None else ""
        if url:
            events.append(MediaDelta(index, _image(url)))


def _image(url: str) -> Media:
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        return Media(kind=MediaKind.IMAGE, mime_type="", uri=url)
    mime_type = head.removeprefix("data:").removesuffix(";base64")
    try:
        return Media(kind=MediaKind.IMAGE, mime_type=mime_type, data=binascii.a2b_base64(data))
    except binascii.Error as error:
        raise _invalid("The provider sent an image that is not base64.") from error


def _logprobs(index: int, logprobs: LogprobsShape, events: list[AnswerEvent]) -> None:
    shapes = [*(logprobs.content or ()), *(logprobs.refusal or ())]
    tokens = tuple(
        TokenLogprob(
            shape.token,
            shape.logprob,
            _token_bytes(shape),
            tuple(
                TopLogprob(top.token, top.logprob, _token_bytes(top))
                for top in shape.top_logprobs or ()
            ),
        )
        for shape in shapes
    )
    if tokens:
        events.append(LogprobsDelta(index, tokens))


def _token_bytes(shape: TopShape) -> bytes:
    try:
        return bytes(shape.bytes or ())
    except ValueError as error:
        raise _invalid("The provider sent token bytes beyond 255.") from error


def _invalid(text: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, text)
