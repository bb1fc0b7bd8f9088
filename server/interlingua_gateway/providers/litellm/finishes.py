"""Which finish reason the providers' own words stand for."""

from __future__ import annotations

from collections.abc import Mapping

from interlingua_gateway.core.events import Finish, FinishReason

_SPELLINGS: Mapping[FinishReason, tuple[str, ...]] = {
    FinishReason.STOP: (
        "stop",
        "STOP",
        "end_turn",
        "COMPLETE",
        "eos",
        "eos_token",
        "completed",
        "FINISH",
        "pause_turn",
    ),
    FinishReason.STOP_SEQUENCE: ("stop_sequence", "STOP_SEQUENCE"),
    FinishReason.LENGTH: (
        "length",
        "max_tokens",
        "MAX_TOKENS",
        "model_length",
        "max_output_tokens",
        "model_context_window_exceeded",
    ),
    FinishReason.TOOL_CALLS: ("tool_calls", "tool_use", "TOOL_CALL", "function_call"),
    FinishReason.CONTENT_FILTER: (
        "content_filter",
        "content_filtered",
        "guardrail_intervened",
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "ERROR_TOXIC",
    ),
    FinishReason.REFUSAL: ("refusal",),
}
_REASONS: Mapping[str, FinishReason] = {
    word: reason for reason, words in _SPELLINGS.items() for word in words
}


def finish_of(index: int, word: str, said: str, stop_sequence: str) -> Finish:
    """The finish of candidate `index`: `word` is litellm's, `said` the upstream's own or empty.

    litellm's word decides only for tool calls, which Gemini does not tell apart from a stop.
    """
    if word == "tool_calls":
        return Finish(index, FinishReason.TOOL_CALLS)
    reason = _REASONS.get(said or word, FinishReason.OTHER)
    if reason is FinishReason.OTHER:
        return Finish(index, reason, upstream_reason=said or word)
    if reason is FinishReason.STOP_SEQUENCE:
        return Finish(index, reason, stop_sequence=stop_sequence)
    return Finish(index, reason)
