"""What a call can cost at most, as far as its request and its targets say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.prices import PICO_PER_NANO, Price
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import (
    EmbedRequest,
    GenerateRequest,
    Media,
    MediaKind,
    Modality,
    Part,
    Reasoning,
    Text,
    ToolCall,
)

MESSAGE_FRAME_TOKENS: Final = 16
"""Around each message and each tool: more than any provider's own form takes."""
TOOLS_FRAME_TOKENS: Final = 512
"""Instructions that a provider adds where there are tools (Anthropic says 290 to 530)."""
IMAGE_TOKENS: Final = 5000
"""Of a large picture in high resolution (OpenAI at most 1,600, Anthropic 4,784 as of 2026)."""
BYTES_PER_SOUND_TOKEN: Final = 16
"""At most 32 tokens a second (Google), at least 1,000 bytes a second: 31 bytes a token."""
LINKED_MEDIA_TOKENS: Final = 100_000
"""Sound, video or a document behind a link, whose length nobody knows."""


class Size(msgspec.Struct, frozen=True):
    """Tokens of a request at most; `sound` and `pictures` say what else is priced in it."""

    tokens: int
    sound: bool = False
    pictures: bool = False


def most_nano_usd(
    request: GenerateRequest | EmbedRequest, targets: Sequence[Target], longest_output_tokens: int
) -> int | None:
    """What one answer costs at the dearest of `targets`, in 1e-9 USD; None where the price of one
    is not known. `longest_output_tokens` holds where neither the request nor a target sets a limit.

    The input is bounded by its bytes, for a vocabulary has a token for each, and by the context
    window of the target. `provider_options` are held for the dearest level of service, the dearest
    kind of output and, because they may name a limit in words that nobody here knows, the longest
    answer; what they buy beside tokens cannot be seen.
    """
    size = _size(request)
    costs: list[int] = []
    for target in targets:
        if target.price is None:
            return None
        costs.append(_at(target, target.price, request, size, longest_output_tokens))
    return max(costs, default=0)


def _at(
    target: Target,
    price: Price,
    request: GenerateRequest | EmbedRequest,
    size: Size,
    longest_output_tokens: int,
) -> int:
    entering = size.tokens
    if target.context_window_tokens is not None:
        entering = min(entering, target.context_window_tokens)
    leaving = _output_tokens(request, target, longest_output_tokens)
    levels: tuple[Price, ...] = (price,)
    if request.provider_options_json:
        levels += tuple(other for _, other in price.service_tiers)
    return max(
        _cost(level.of_length(entering), entering, leaving, request, size) for level in levels
    )


def _cost(
    price: Price,
    entering: int,
    leaving: int,
    request: GenerateRequest | EmbedRequest,
    size: Size,
) -> int:
    modalities = request.modalities if isinstance(request, GenerateRequest) else ()
    if request.provider_options_json:
        modalities = tuple(Modality)
    inward = _dearest(
        price.input,
        price.cached_input,
        price.cache_write_input,
        price.cache_write_1h_input,
        price.audio_input if size.sound else None,
        price.image_input if size.pictures else None,
    )
    outward = _dearest(
        price.output,
        price.reasoning,
        price.audio_output if Modality.AUDIO in modalities else None,
        price.image_output if Modality.IMAGE in modalities else None,
    )
    pico = entering * inward + leaving * outward
    return -(-pico // PICO_PER_NANO)


def _dearest(*prices: int | None) -> int:
    return max(price for price in prices if price is not None)


def _output_tokens(
    request: GenerateRequest | EmbedRequest, target: Target, longest_output_tokens: int
) -> int:
    """Of all candidates, whose number `provider_options` cannot change."""
    if isinstance(request, EmbedRequest):
        return 0
    asked = None if request.provider_options_json else request.sampling.max_output_tokens
    limits = (asked, target.max_output_tokens, target.longest_output_tokens)
    known = [limit for limit in limits if limit is not None]
    return min(known, default=longest_output_tokens) * (request.sampling.n or 1)


def _size(request: GenerateRequest | EmbedRequest) -> Size:
    if isinstance(request, EmbedRequest):
        return Size(
            sum(
                _bytes(item.text or "") + len(item.tokens) + MESSAGE_FRAME_TOKENS
                for item in request.inputs
            )
        )
    tokens = len(request.provider_options_json.encode())
    kinds: set[MediaKind] = set()
    for message in request.messages:
        tokens += MESSAGE_FRAME_TOKENS + _bytes(message.name or "")
        tokens += sum(_part(part, kinds) for part in message.parts)
    for tool in request.tools:
        tokens += MESSAGE_FRAME_TOKENS + _bytes(tool.name) + _bytes(tool.description)
        tokens += _bytes(tool.parameters_json_schema)
    tokens += TOOLS_FRAME_TOKENS if request.tools else 0
    tokens += _bytes(request.response_format.json_schema) if request.response_format else 0
    return Size(
        tokens,
        sound=not kinds.isdisjoint({MediaKind.AUDIO, MediaKind.VIDEO}),
        pictures=not kinds.isdisjoint({MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.FILE}),
    )


def _part(part: Part, kinds: set[MediaKind]) -> int:
    if isinstance(part, Text):
        return _bytes(part.text)
    if isinstance(part, Reasoning):
        return _bytes(part.text) + len(part.signature)
    if isinstance(part, Media):
        kinds.add(part.kind)
        return _media(part)
    if isinstance(part, ToolCall):
        return MESSAGE_FRAME_TOKENS + _bytes(part.name) + _bytes(part.arguments_json)
    return MESSAGE_FRAME_TOKENS + sum(_part(inner, kinds) for inner in part.content)


def _media(media: Media) -> int:
    if media.kind is MediaKind.IMAGE:
        return IMAGE_TOKENS
    if media.data is None:
        return LINKED_MEDIA_TOKENS
    if media.kind is MediaKind.FILE:
        return IMAGE_TOKENS + len(media.data)
    return IMAGE_TOKENS + len(media.data) // BYTES_PER_SOUND_TOKEN


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
