"""Estimates token counts where no tokenizer and no provider says them.

A token of the common byte-pair vocabularies is about four bytes of English text; other scripts
take about two bytes a token. Both are rules of thumb of the vocabularies' own documentation and are
marked as estimates wherever they appear.
"""

from __future__ import annotations

from interlingua_gateway.core.types import (
    CountRequest,
    EmbedRequest,
    GenerateRequest,
    Media,
    Part,
    Reasoning,
    Request,
    Text,
    ToolCall,
)

MESSAGE_OVERHEAD_TOKENS = 4
MEDIA_TOKENS = 800


def text_tokens(text: str) -> int:
    """Tokens of `text`, estimated; 0 only for an empty text."""
    if not text:
        return 0
    characters = len(text)
    if text.isascii():
        return (characters + 3) // 4
    wide = sum(1 for character in text if character > "\u007f")
    return (characters - wide + 3) // 4 + wide


def input_tokens(request: Request) -> int:
    """Input tokens of a request, estimated."""
    if isinstance(request, CountRequest):
        return input_tokens(request.request)
    if isinstance(request, EmbedRequest):
        return sum(text_tokens(item.text or "") + len(item.tokens) for item in request.inputs)
    return _generate_tokens(request)


def _generate_tokens(request: GenerateRequest) -> int:
    messages = sum(
        MESSAGE_OVERHEAD_TOKENS + sum(_part_tokens(part) for part in message.parts)
        for message in request.messages
    )
    tools = sum(
        text_tokens(tool.name)
        + text_tokens(tool.description)
        + text_tokens(tool.parameters_json_schema)
        for tool in request.tools
    )
    form = text_tokens(request.response_format.json_schema) if request.response_format else 0
    return messages + tools + form


def _part_tokens(part: Part) -> int:
    if isinstance(part, Text | Reasoning):
        return text_tokens(part.text)
    if isinstance(part, Media):
        return MEDIA_TOKENS
    if isinstance(part, ToolCall):
        return text_tokens(part.name) + text_tokens(part.arguments_json)
    return sum(_part_tokens(inner) for inner in part.content)
