"""The JSON shapes of messages and their streams, as far as they are read; the rest is skipped.

Facts: the Messages API and "Streaming messages" in Anthropic's API reference. Servers that took
over its form differ in what they leave out, so everything may be missing or null.
"""

from __future__ import annotations

import msgspec

_NOTHING = msgspec.Raw(b"{}")


class _Shape(msgspec.Struct, gc=False):
    """The common form of shapes."""


class BlockShape(_Shape):
    """A block of content: `text`, `thinking`, `redacted_thinking` (`data`), `tool_use`, or one of
    the tools that the provider runs itself. `input` is the JSON text of an object."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = _NOTHING


class DeltaShape(_Shape):
    """`delta` of a `content_block_delta`, or of a `message_delta`, which has no type."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class WrittenShape(_Shape):
    """Tokens written to the cache by how long they stay there; the others stay for 5 minutes."""

    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(_Shape):
    thinking_tokens: int | None = None


class UsageShape(_Shape):
    """`input_tokens` are those that were neither read from the cache nor written to it."""

    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: WrittenShape | None = None
    output_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None
    service_tier: str | None = None


class MessageShape(_Shape):
    """A whole message, or the beginning of one in a `message_start`. `type` is `message`, or
    `error` in a failure."""

    type: str = ""
    id: str | None = None
    model: str | None = None
    content: list[BlockShape] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: UsageShape | None = None


class EventShape(_Shape):
    """One event of a stream; `index` is the number of its block."""

    type: str = ""
    index: int = 0
    delta: DeltaShape | None = None
    content_block: BlockShape | None = None
    message: MessageShape | None = None
    usage: UsageShape | None = None


class CountShape(_Shape):
    """The answer of the endpoint that counts tokens."""

    input_tokens: int
