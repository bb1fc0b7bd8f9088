"""What comes back: the events of an answer, and the answer that they add up to.

A *batch* is the sequence of events that one read of the upstream brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec

from interlingua_gateway.core.types import Media, Reasoning, Text, ToolCall


class Event(msgspec.Struct, frozen=True, gc=False):
    """The common form of events."""


class FinishReason(StrEnum):
    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    OTHER = "other"


class Usage(Event, frozen=True):
    """Tokens of the whole call so far, over all candidates.

    `input_tokens` includes cached ones, `output_tokens` includes reasoning; `estimated` is True
    where the gateway counted itself because the provider did not say. Of the tokens written to the
    provider's cache, `cache_write_1h_input_tokens` stay there for an hour. `service_tier` is
    `batch`, `flex`, `priority` or another level where the provider says that it served at one.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    estimated: bool = False
    cache_write_1h_input_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    service_tier: str = ""


def added(one: Usage, other: Usage) -> Usage:
    """The tokens of both; estimated if either is."""
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cached_input_tokens=one.cached_input_tokens + other.cached_input_tokens,
        cache_write_input_tokens=one.cache_write_input_tokens + other.cache_write_input_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        audio_input_tokens=one.audio_input_tokens + other.audio_input_tokens,
        audio_output_tokens=one.audio_output_tokens + other.audio_output_tokens,
        estimated=one.estimated or other.estimated,
        cache_write_1h_input_tokens=(
            one.cache_write_1h_input_tokens + other.cache_write_1h_input_tokens
        ),
        image_input_tokens=one.image_input_tokens + other.image_input_tokens,
        image_output_tokens=one.image_output_tokens + other.image_output_tokens,
        service_tier=one.service_tier or other.service_tier,
    )


class TextDelta(Event, frozen=True):
    index: int
    text: str


class ReasoningDelta(Event, frozen=True):
    """`text`, or a `signature` that closes the reasoning so far; `redacted` as in Reasoning."""

    index: int
    text: str = ""
    signature: bytes = b""
    redacted: bool = False


class ToolCallDelta(Event, frozen=True):
    """`id` and `name` come with the first fragment of call number `call`; fragments of
    `arguments_json` are to be joined."""

    index: int
    call: int
    id: str = ""
    name: str = ""
    arguments_json: str = ""


class MediaDelta(Event, frozen=True):
    """Generated media, whole or a fragment of its bytes (`media.data` is to be joined)."""

    index: int
    media: Media


class TopLogprob(Event, frozen=True):
    token: str
    logprob: float
    token_bytes: bytes = b""


class TokenLogprob(Event, frozen=True):
    token: str
    logprob: float
    token_bytes: bytes = b""
    top: tuple[TopLogprob, ...] = ()


class LogprobsDelta(Event, frozen=True):
    index: int
    tokens: tuple[TokenLogprob, ...]


class UsageUpdate(Event, frozen=True):
    """Cumulative: each one replaces the one before."""

    usage: Usage


class Finish(Event, frozen=True):
    """Candidate `index` has reached its end. `upstream_reason` is the provider's own word, kept
    where `reason` is OTHER; `stop_sequence` is the one that was hit, if known."""

    index: int
    reason: FinishReason
    stop_sequence: str = ""
    upstream_reason: str = ""


class Vector(Event, frozen=True):
    """Embedding of input `index`: `data` is little-endian float32, 4 bytes a dimension."""

    index: int
    data: bytes


class TokenCount(Event, frozen=True):
    tokens: int
    estimated: bool


class Outcome(StrEnum):
    """How an attempt or a whole call ended, beside its Reason if it failed."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DecidedBy(StrEnum):
    """Who chose the route of a call: the classifier now or earlier, or nobody."""

    CLASSIFIER = "classifier"
    CACHE = "cache"
    DEFAULT = "default"
    ONLY_ROUTE = "only_route"


class Decision(Event, frozen=True):
    """The choice among the routes of the alias `model`."""

    model: str
    route: str
    by: DecidedBy


class AttemptRecord(Event, frozen=True):
    """One attempt at one target, as the caller sees it. `reason` is empty when it did not fail.

    `usage` and `cost_nano_usd` (in 1e-9 USD) are set for an attempt that was paid for although
    another one answered. `classifying` is True where it was to choose the route; else `decision`
    is the route that it was made on, if the alias has any.
    """

    deployment: str
    provider: str
    model: str
    outcome: Outcome
    reason: str = ""
    duration_s: float = 0.0
    time_to_first_event_s: float | None = None
    usage: Usage | None = None
    cost_nano_usd: int | None = None
    classifying: bool = False
    decision: Decision | None = None


class AttemptMade(Event, frozen=True):
    """Announces in the stream an attempt that ended, or one that took over."""

    record: AttemptRecord


AnswerEvent: TypeAlias = (
    TextDelta
    | ReasoningDelta
    | ToolCallDelta
    | MediaDelta
    | LogprobsDelta
    | UsageUpdate
    | AttemptMade
    | Finish
    | Vector
    | TokenCount
)
Batch: TypeAlias = Sequence[AnswerEvent]


class Candidate(msgspec.Struct, frozen=True):
    index: int
    parts: tuple[Text | Reasoning | ToolCall | Media, ...]
    finish: Finish
    logprobs: tuple[TokenLogprob, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """A whole answer: what the events of a reply add up to."""

    candidates: tuple[Candidate, ...] = ()
    vectors: tuple[Vector, ...] = ()
    token_count: TokenCount | None = None
    usage: Usage | None = None
