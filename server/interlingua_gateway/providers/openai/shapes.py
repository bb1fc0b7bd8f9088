"""The JSON shapes of answers, as far as they are read; unknown fields are skipped.

Everything may be missing or null: servers that are compatible with OpenAI's API differ in what
they leave out.
"""

from __future__ import annotations

import msgspec

_NO_ERROR = msgspec.Raw(b"null")


class _Shape(msgspec.Struct, gc=False):
    """The common form of shapes."""


class FunctionShape(_Shape):
    name: str | None = None
    arguments: str | None = None


class ToolCallShape(_Shape):
    index: int | None = None
    id: str | None = None
    function: FunctionShape | None = None


class AudioShape(_Shape):
    """`data` is base64; `transcript` is what is said."""

    data: bytes | None = None
    transcript: str | None = None


class UrlShape(_Shape):
    url: str = ""


class ImageShape(_Shape):
    image_url: UrlShape | None = None


class PartShape(_Shape):
    """A part of a content that is a list, as Mistral's reasoning models send it."""

    type: str = ""
    text: str | None = None
    thinking: list[PartShape] | None = None


class DeltaShape(_Shape):
    """`choices[].delta` of a chunk and `choices[].message` of a whole answer."""

    content: str | list[PartShape] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCallShape] | None = None
    refusal: str | None = None
    audio: AudioShape | None = None
    images: list[ImageShape] | None = None


class TopShape(_Shape):
    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class TokenShape(TopShape):
    top_logprobs: list[TopShape] | None = None


class LogprobsShape(_Shape):
    content: list[TokenShape] | None = None
    refusal: list[TokenShape] | None = None


class ChoiceShape(_Shape):
    """`stop_reason` is vLLM's: the stop sequence that was hit, or the id of a stop token."""

    index: int = 0
    delta: DeltaShape | None = None
    message: DeltaShape | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: LogprobsShape | None = None


class InputDetails(_Shape):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class OutputDetails(_Shape):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class UsageShape(_Shape):
    """`prompt_cache_hit_tokens` is DeepSeek's, `cached_tokens` Moonshot's."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None


class AnswerShape(_Shape):
    """`object` is `error` in the failures of some servers."""

    model: str | None = None
    object: str | None = None
    usage: UsageShape | None = None
    error: msgspec.Raw = _NO_ERROR

    @property
    def failed(self) -> bool:
        """It tells of a failure instead of answering."""
        if self.error is _NO_ERROR:
            return self.object == "error"
        return self.object == "error" or bytes(self.error) != b"null"


class GroqShape(_Shape):
    """Groq's own part of a stream's last chunk; it counts the tokens there."""

    usage: UsageShape | None = None


class CompletionShape(AnswerShape):
    """A whole chat completion or one chunk of it."""

    id: str | None = None
    choices: list[ChoiceShape] | None = None
    service_tier: str | None = None
    x_groq: GroqShape | None = None


class VectorShape(_Shape):
    """`embedding` is base64 of little-endian float32, or a list of numbers."""

    index: int | None = None
    embedding: bytes | list[float] = b""


class EmbeddingsShape(AnswerShape):
    """The vectors of a whole request."""

    id: str | None = None
    data: list[VectorShape] | None = None
