"""Messages and parts of the contract into those of the core, with the rules that bind them."""

from __future__ import annotations

from collections.abc import Iterable

from interlingua.v1 import content_pb2 as content
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.types import (
    Media,
    MediaKind,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from interlingua_gateway.wire.grpc import enums

_bad = CallerError.of_field

_ALLOWED: dict[Role, frozenset[str]] = {
    Role.SYSTEM: frozenset({"text"}),
    Role.DEVELOPER: frozenset({"text"}),
    Role.USER: frozenset({"text", "image", "audio", "video", "file"}),
    Role.ASSISTANT: frozenset({"text", "image", "audio", "tool_call", "reasoning"}),
    Role.TOOL: frozenset({"tool_result"}),
}
_RESULT_PARTS = frozenset({"text", "image", "audio", "video", "file"})
_MEDIA = frozenset({"image", "audio", "video", "file"})


def decode_messages(messages: Iterable[content.Message]) -> tuple[Message, ...]:
    """The conversation.

    Raises:
        CallerError: it is empty, or a message or part breaks the contract's rules.
    """
    decoded = tuple([_message(pb, i) for i, pb in enumerate(messages)])
    if not decoded:
        raise _bad("messages", "must not be empty")
    return decoded


def _message(pb: content.Message, number: int) -> Message:
    role = enums.ROLES.get(pb.role) or enums.known(enums.ROLES, pb.role, f"messages[{number}].role")
    if not pb.parts:
        raise _bad(f"messages[{number}].parts", "must not be empty")
    parts = tuple([_of_role(part, role, number, i) for i, part in enumerate(pb.parts)])
    return Message(role=role, parts=parts, name=pb.name or None)


def _of_role(pb: content.Part, role: Role, message: int, number: int) -> Part:
    """A part of a message; the path to it is worked out only for one that may need it."""
    allowed = _ALLOWED[role]
    if pb.WhichOneof("content") == "text" and "text" in allowed:
        return Text(text=pb.text)
    field = f"messages[{message}].parts[{number}]"
    return _part(pb, allowed, f"a message of role `{role}`", field)


def _part(pb: content.Part, allowed: frozenset[str], where: str, field: str) -> Part:
    kind = pb.WhichOneof("content")
    if kind is None:
        raise _bad(field, "has no content")
    if kind not in allowed:
        raise _bad(f"{field}.{kind}", f"is not allowed in {where}")
    if kind == "text":
        return Text(text=pb.text)
    if kind in _MEDIA:
        return _media(getattr(pb, kind), MediaKind(kind), f"{field}.{kind}")
    if kind == "tool_call":
        return _tool_call(pb.tool_call, f"{field}.tool_call")
    if kind == "tool_result":
        return _tool_result(pb.tool_result, f"{field}.tool_result")
    return Reasoning(
        text=pb.reasoning.text,
        signature=pb.reasoning.signature,
        redacted=pb.reasoning.redacted,
    )


def _media(pb: content.Media, kind: MediaKind, field: str) -> Media:
    source = pb.WhichOneof("source")
    if source is None:
        raise _bad(field, "needs data or a uri")
    if source == "data":
        if not pb.data:
            raise _bad(f"{field}.data", "must not be empty")
        if "/" not in pb.mime_type:
            raise _bad(f"{field}.mime_type", "must be set with data, such as `image/png`")
    elif ":" not in pb.uri:
        raise _bad(f"{field}.uri", "must be absolute, such as an https URL")
    return Media(
        kind=kind,
        mime_type=pb.mime_type,
        data=pb.data if source == "data" else None,
        uri=pb.uri if source == "uri" else None,
        detail=enums.known(enums.DETAILS, pb.detail, f"{field}.detail"),
        name=pb.name or None,
    )


def _tool_call(pb: content.ToolCall, field: str) -> ToolCall:
    if not pb.id:
        raise _bad(f"{field}.id", "must not be empty")
    if not pb.name:
        raise _bad(f"{field}.name", "must not be empty")
    return ToolCall(id=pb.id, name=pb.name, arguments_json=pb.arguments_json)


def _tool_result(pb: content.ToolResult, field: str) -> ToolResult:
    if not pb.tool_call_id:
        raise _bad(f"{field}.tool_call_id", "must not be empty")
    parts = (
        _part(part, _RESULT_PARTS, "a tool result", f"{field}.parts[{i}]")
        for i, part in enumerate(pb.parts)
    )
    return ToolResult(
        tool_call_id=pb.tool_call_id,
        name=pb.name or None,
        content=tuple(part for part in parts if isinstance(part, Text | Media)),
        is_error=pb.is_error,
    )
