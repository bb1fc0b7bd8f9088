"""Prompts into messages of the core, with the rules that bind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.types import (
    Media,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from interlingua_gateway.library.options import MessageDict

_ALLOWED: Final[Mapping[Role, tuple[type, ...]]] = {
    Role.SYSTEM: (Text,),
    Role.DEVELOPER: (Text,),
    Role.USER: (Text, Media),
    Role.ASSISTANT: (Text, Media, ToolCall, Reasoning),
    Role.TOOL: (ToolResult,),
}
_KEYS: Final = frozenset({"role", "content", "name"})

_bad = CallerError.of_field


def conversation(prompt: str | Sequence[Message | MessageDict]) -> tuple[Message, ...]:
    """The messages of a prompt; a text is the user's.

    Raises:
        CallerError: INVALID_REQUEST naming what is wrong.
    """
    if isinstance(prompt, str):
        return (Message(role=Role.USER, parts=(Text(text=prompt),)),)
    return tuple(
        one if isinstance(one, Message) else _from_dict(one, f"messages[{i}]")
        for i, one in enumerate(prompt)
    )


def check_messages(messages: Sequence[Message]) -> None:
    """Refuse what breaks the contract's rules.

    Raises:
        CallerError: INVALID_REQUEST naming what is wrong.
    """
    if not messages:
        raise _bad("messages", "must not be empty")
    for i, message in enumerate(messages):
        field = f"messages[{i}]"
        if not message.parts:
            raise _bad(f"{field}.parts", "must not be empty")
        for j, part in enumerate(message.parts):
            if not isinstance(part, _ALLOWED[message.role]):
                kind = type(part).__name__
                where = f"a message of role `{message.role}`"
                raise _bad(f"{field}.parts[{j}]", f"{kind} is not allowed in {where}")
            _check_part(part, f"{field}.parts[{j}]")


def _check_part(part: Part, field: str) -> None:
    if isinstance(part, Media):
        if (part.data is None) == (part.uri is None):
            raise _bad(field, "needs either data or a uri")
        if part.data is not None and "/" not in part.mime_type:
            raise _bad(f"{field}.mime_type", "must be set with data, such as `image/png`")
    elif isinstance(part, ToolCall):
        if not (part.id and part.name):
            raise _bad(field, "needs an id and a name")
    elif isinstance(part, ToolResult) and not part.tool_call_id:
        raise _bad(f"{field}.tool_call_id", "must not be empty")


def _from_dict(message: object, field: str) -> Message:
    found = message if isinstance(message, Mapping) else {}
    if not found.keys() >= {"role", "content"}:
        raise _bad(field, "is no Message, and no dictionary with the keys role and content")
    if unknown := found.keys() - _KEYS:
        raise _bad(field, f"a message has no key {', '.join(map(repr, sorted(unknown)))}")
    if found["role"] not in tuple(Role):
        raise _bad(f"{field}.role", f"must be one of {', '.join(Role)}")
    content = found["content"]
    parts = [content] if isinstance(content, str) else content
    if not isinstance(parts, Sequence):
        raise _bad(f"{field}.content", "must be a text, or a sequence of texts and parts")
    return Message(
        role=Role(found["role"]),
        parts=tuple(_part(part, f"{field}.content[{i}]") for i, part in enumerate(parts)),
        name=found.get("name"),
    )


def _part(part: object, field: str) -> Part:
    if isinstance(part, str):
        return Text(text=part)
    if not isinstance(part, Text | Media | ToolCall | ToolResult | Reasoning):
        raise _bad(field, "must be a text or a part of a message")
    return part
