"""Reads the pieces of text that streams consist of for the most part, without litellm.

Each reader knows one kind of stream and gives None for whatever is more than a piece of text, or
could be: that is litellm's to read. litellm's own readers keep no state of pieces of text.
"""

from __future__ import annotations

from typing import Any

import msgspec

from interlingua_gateway.core.events import TextDelta, Usage

Json = dict[str, Any]

_GEMINI = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId", "createTime"})
_COUNTS = frozenset({"promptTokenCount", "candidatesTokenCount", "totalTokenCount"})


def anthropic_text(value: Json) -> TextDelta | None:
    """`{"type": "content_block_delta", "delta": {"type": "text_delta", "text": ...}}`."""
    if value.get("type") != "content_block_delta":
        return None
    delta = value.get("delta")
    if type(delta) is not dict or delta.get("type") != "text_delta":
        return None
    return _piece(0, delta.get("text"))


def converse_text(value: Json) -> TextDelta | None:
    """`{"contentBlockIndex": 0, "delta": {"text": ...}}`, padded or not."""
    delta = value.get("delta")
    if type(delta) is not dict or len(delta) != 1 or "start" in value or "usage" in value:
        return None
    return _piece(0, delta.get("text"))


def cohere_text(value: Json) -> TextDelta | None:
    """`{"type": "content-delta", "delta": {"message": {"content": {"text": ...}}}}`."""
    if value.get("type") != "content-delta":
        return None
    try:
        content = value["delta"]["message"]["content"]
    except (KeyError, TypeError):
        return None
    return _piece(0, content.get("text")) if type(content) is dict and len(content) == 1 else None


def openai_text(value: Json) -> TextDelta | None:
    """A chunk of one choice whose delta is its content, or that and a role."""
    choices = value.get("choices")
    if type(choices) is not list or len(choices) != 1:
        return None
    if value.get("usage") is not None or value.get("error") is not None:
        return None
    choice = choices[0]
    if type(choice) is not dict or choice.get("finish_reason") is not None:
        return None
    delta = choice.get("delta")
    if type(delta) is not dict or len(delta) != 1 or choice.get("logprobs") is not None:
        return None
    return _piece(choice.get("index"), delta.get("content"))


class Counted(msgspec.Struct, frozen=True):
    """A piece of text, and the tokens that were counted when it came."""

    piece: TextDelta
    usage: Usage


def gemini_text(value: Json) -> Counted | None:
    """One candidate with one part that is its text, and counts of nothing but text."""
    usage, candidates = value.get("usageMetadata", {}), value.get("candidates")
    if not value.keys() <= _GEMINI or type(candidates) is not list or len(candidates) != 1:
        return None
    candidate = candidates[0]
    if type(usage) is not dict or type(candidate) is not dict:
        return None
    content = candidate.get("content")
    if not candidate.keys() <= {"content", "index"} or type(content) is not dict:
        return None
    parts = content.get("parts")
    if type(parts) is not list or len(parts) != 1 or type(parts[0]) is not dict:
        return None
    if parts[0].keys() != {"text"} or not (usage.keys() <= _COUNTS and _adds_up(usage)):
        return None
    piece = _piece(candidate.get("index", 0), parts[0]["text"])
    counted = Usage(
        input_tokens=usage.get("promptTokenCount", 0),
        output_tokens=usage.get("candidatesTokenCount", 0),
    )
    return None if piece is None else Counted(piece, counted)


def _adds_up(usage: Json) -> bool:
    counts = (usage.get("promptTokenCount", 0), usage.get("candidatesTokenCount", 0))
    total = usage.get("totalTokenCount", 0)
    return all(type(count) is int for count in counts) and total in (0, sum(counts))


def _piece(index: object, text: object) -> TextDelta | None:
    return TextDelta(index, text) if type(index) is int and type(text) is str and text else None
