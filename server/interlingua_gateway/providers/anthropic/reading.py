"""Reads one message, whole or in the order of its stream, into events."""

from __future__ import annotations

from collections.abc import Mapping

from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import (
    AnswerEvent,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)
from interlingua_gateway.providers.anthropic.shapes import (
    BlockShape,
    DeltaShape,
    EventShape,
    MessageShape,
    UsageShape,
)

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
}
"""`pause_turn` is none of these: the provider's own tools are not at their end."""


class Reading:
    """Reads the parts of one answer in turn and knows whether it is complete.

    Blocks of tools that the provider runs itself, and citations, have no place in the contract and
    are passed over. A finish is told only at the end of the message; until then it is a plan.
    """

    __slots__ = (
        "_begun",
        "_calls",
        "_counted",
        "_finish",
        "_news",
        "_whole",
        "ended",
        "id",
        "model",
    )

    def __init__(self) -> None:
        self._begun = 0
        """Tool calls so far."""
        self._calls: dict[int, int] = {}
        """Number of the tool call that each block is."""
        self._whole: dict[int, str] = {}
        """Arguments of open tool calls of which no fragment has come, by block."""
        self._counted = Usage()
        self._news = False
        """The count has changed since it was told."""
        self._finish: Finish | None = None
        self.ended = False
        self.model = ""
        self.id = ""

    def take(self, event: EventShape, events: list[AnswerEvent]) -> None:
        """Append to `events` what one event of a stream brings.

        Raises:
            UpstreamError: the message ends without a stop reason.
            UnicodeDecodeError: a text is not UTF-8.
        """
        if event.delta is not None and event.type == "content_block_delta":
            self._delta(event.index, event.delta, events)
        elif event.content_block is not None:
            self._begin(event.index, event.content_block, events)
        elif event.type == "content_block_stop":
            self._close(event.index, events)
        elif event.message is not None:
            self._message(event.message)
        elif event.type == "message_delta":
            self._count(event.usage)
            self._plan(event.delta)
        elif event.type == "message_stop":
            self._stop(events)

    def whole(self, message: MessageShape, events: list[AnswerEvent]) -> None:
        """Append to `events` all of a whole message.

        Raises:
            UpstreamError: it has no stop reason.
            UnicodeDecodeError: a text is not UTF-8.
        """
        self._message(message)
        for index, block in enumerate(message.content or ()):
            self._begin(index, block, events)
            self._close(index, events)
        self._plan(message)
        self._stop(events)

    def tell_usage(self, events: list[AnswerEvent]) -> None:
        """Append the count if it has changed. A count alone is no news: a stream that has only
        begun can still fail as if it had not."""
        if self._news and events:
            self._news = False
            events.append(UsageUpdate(self._counted))

    def _message(self, message: MessageShape) -> None:
        self.id, self.model = message.id or "", message.model or ""
        self._count(message.usage)

    def _begin(self, index: int, block: BlockShape, events: list[AnswerEvent]) -> None:
        if block.type == "text":
            if block.text:
                events.append(TextDelta(0, block.text))
        elif block.type == "thinking":
            if block.thinking:
                events.append(ReasoningDelta(0, block.thinking))
            if block.signature:
                events.append(ReasoningDelta(0, signature=block.signature.encode()))
        elif block.type == "redacted_thinking":
            data = (block.data or "").encode()
            events.append(ReasoningDelta(0, signature=data, redacted=True))
        elif block.type == "tool_use":
            self._calls[index] = self._begun
            events.append(ToolCallDelta(0, self._begun, block.id or "", block.name or ""))
            self._begun += 1
            self._whole[index] = _arguments(block)

    def _delta(self, index: int, delta: DeltaShape, events: list[AnswerEvent]) -> None:
        if delta.text:
            events.append(TextDelta(0, delta.text))
        elif delta.thinking:
            events.append(ReasoningDelta(0, delta.thinking))
        elif delta.partial_json:
            number = self._calls.get(index)
            if number is not None:
                self._whole.pop(index, None)
                events.append(ToolCallDelta(0, number, arguments_json=delta.partial_json))
        elif delta.signature:
            events.append(ReasoningDelta(0, signature=delta.signature.encode()))

    def _close(self, index: int, events: list[AnswerEvent]) -> None:
        arguments = self._whole.pop(index, "")
        if arguments:
            events.append(ToolCallDelta(0, self._calls[index], arguments_json=arguments))

    def _count(self, usage: UsageShape | None) -> None:
        counted = self._counted if usage is None else _higher(self._counted, usage_of(usage))
        self._news = self._news or counted != self._counted
        self._counted = counted

    def _plan(self, ending: DeltaShape | MessageShape | None) -> None:
        if ending is not None and ending.stop_reason:
            self._finish = _finish(ending.stop_reason, ending.stop_sequence)

    def _stop(self, events: list[AnswerEvent]) -> None:
        if self._finish is None:
            raise UpstreamError(
                Reason.UPSTREAM_INVALID_RESPONSE,
                "The provider's answer ended without a stop reason.",
            )
        self.ended = True
        if self._news:
            self._news = False
            events.append(UsageUpdate(self._counted))
        events.append(self._finish)


def _arguments(block: BlockShape) -> str:
    """The arguments of a call as the provider wrote them; none are an empty object.

    Raises:
        UnicodeDecodeError: they are not UTF-8, which is not looked at before.
    """
    text = bytes(block.input).decode()
    return "{}" if text == "null" else text


def usage_of(usage: UsageShape) -> Usage:
    """The contract's usage: there, input includes what the cache gave and took."""
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    kept, made = usage.cache_creation, usage.output_tokens_details
    return Usage(
        input_tokens=(usage.input_tokens or 0) + read + written,
        output_tokens=usage.output_tokens or 0,
        cached_input_tokens=read,
        cache_write_input_tokens=written,
        cache_write_1h_input_tokens=(kept.ephemeral_1h_input_tokens or 0) if kept else 0,
        reasoning_tokens=(made.thinking_tokens or 0) if made else 0,
        service_tier=(usage.service_tier or "").lower(),
    )


def _higher(one: Usage, other: Usage) -> Usage:
    """The higher of each count: counts only grow, and later ones leave out what has not changed."""
    return Usage(
        input_tokens=max(one.input_tokens, other.input_tokens),
        output_tokens=max(one.output_tokens, other.output_tokens),
        cached_input_tokens=max(one.cached_input_tokens, other.cached_input_tokens),
        cache_write_input_tokens=max(one.cache_write_input_tokens, other.cache_write_input_tokens),
        cache_write_1h_input_tokens=max(
            one.cache_write_1h_input_tokens, other.cache_write_1h_input_tokens
        ),
        reasoning_tokens=max(one.reasoning_tokens, other.reasoning_tokens),
        service_tier=other.service_tier or one.service_tier,
    )


def _finish(word: str, stop_sequence: str | None) -> Finish:
    reason = _FINISH.get(word, FinishReason.OTHER)
    upstream = word if reason is FinishReason.OTHER else ""
    return Finish(0, reason, stop_sequence or "", upstream)
