"""Constructors of messages, parts and tools, and the forms that a prompt may have."""

import json
from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, Protocol, TypedDict, TypeVar

from interlingua.v1.content_pb2 import (
    JsonSchemaFormat,
    Media,
    MediaDetail,
    Message,
    Part,
    ResponseFormat,
    Role,
    Tool,
    ToolCall,
    ToolResult,
)
from interlingua.v1.generate_pb2 import GenerateRequest

RoleName = Literal["system", "developer", "user", "assistant", "tool"]
DetailName = Literal["low", "high"]
JsonObject = Mapping[str, object]
"""An object that `json.dumps` takes."""


class MessageDict(TypedDict):
    """A message as a plain dictionary: `{"role": "user", "content": "Hello"}`."""

    role: RoleName
    content: str | Sequence[str | Part]
    name: NotRequired[str]


Prompt = str | Sequence[Message | MessageDict] | GenerateRequest
"""What to answer: a text of the user, a conversation, or a whole request of the contract."""


def system(*parts: str | Part) -> Message:
    """A message with instructions that stand above the conversation."""
    return _message(Role.ROLE_SYSTEM, parts)


def developer(*parts: str | Part) -> Message:
    """A message with instructions of the application."""
    return _message(Role.ROLE_DEVELOPER, parts)


def user(*parts: str | Part) -> Message:
    """A message of the person or program that asks."""
    return _message(Role.ROLE_USER, parts)


def assistant(*parts: str | Part) -> Message:
    """A message of the model. To continue from an answer, send its `message` back instead."""
    return _message(Role.ROLE_ASSISTANT, parts)


def tool_result(
    call: ToolCall | str,
    content: str | Sequence[str | Part],
    *,
    name: str = "",
    is_error: bool = False,
) -> Message:
    """A message with what a tool returned for `call`, which is a ToolCall or its id.

    `name` is the tool's; with a ToolCall it is taken from there. `is_error` says that the tool
    failed and that `content` describes the failure.
    """
    call_id, tool = (call, name) if isinstance(call, str) else (call.id, name or call.name)
    parts = [_part(content)] if isinstance(content, str) else [_part(part) for part in content]
    result = ToolResult(tool_call_id=call_id, name=tool, parts=parts, is_error=is_error)
    return Message(role=Role.ROLE_TOOL, parts=[Part(tool_result=result)])


def image(source: bytes | str, mime_type: str = "", *, detail: DetailName | None = None) -> Part:
    """A picture: its bytes with their MIME type, or a URI that the provider can fetch."""
    media = _media(source, mime_type)
    if detail is not None:
        media.detail = enum_value(MediaDetail, "MEDIA_DETAIL_", "detail", detail)
    return Part(image=media)


def audio(source: bytes | str, mime_type: str = "") -> Part:
    """Sound: its bytes with their MIME type, or a URI that the provider can fetch."""
    return Part(audio=_media(source, mime_type))


def video(source: bytes | str, mime_type: str = "") -> Part:
    """Moving pictures: their bytes with their MIME type, or a URI that the provider can fetch."""
    return Part(video=_media(source, mime_type))


def file(source: bytes | str, mime_type: str = "", *, name: str = "") -> Part:
    """A document: its bytes with their MIME type, or a URI; `name` is what the model is told."""
    return Part(file=_media(source, mime_type, name))


def function_tool(
    name: str,
    description: str = "",
    parameters: JsonObject | str = "",
    *,
    strict: bool | None = None,
) -> Tool:
    """A function that the model may call.

    `parameters` is the JSON Schema of its arguments, as an object or as JSON text; empty means no
    arguments. `strict` asks the provider to hold the arguments to the schema exactly.
    """
    schema = json_text(parameters)
    return Tool(name=name, description=description, parameters_json_schema=schema, strict=strict)


def json_schema(
    schema: JsonObject | str, name: str = "answer", *, strict: bool | None = None
) -> ResponseFormat:
    """The response format of a JSON value that satisfies `schema`, an object or JSON text.

    `name` is told to the model; `strict` asks the provider to hold the answer to the schema.
    """
    wanted = JsonSchemaFormat(name=name, schema_json=json_text(schema), strict=strict)
    return ResponseFormat(json_schema=wanted)


def conversation(prompt: str | Sequence[Message | MessageDict]) -> list[Message]:
    """The messages of a prompt. Raises TypeError or ValueError for what is not a prompt."""
    if isinstance(prompt, str):
        return [user(prompt)]
    return [one if isinstance(one, Message) else _from_dict(one) for one in prompt]


def json_text(value: JsonObject | str) -> str:
    """`value` as JSON text; a text is taken as it stands."""
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False)


_V_co = TypeVar("_V_co", covariant=True)


class _Enum(Protocol[_V_co]):
    def keys(self) -> Sequence[str]: ...
    def Value(self, name: str) -> _V_co: ...  # noqa: N802 - protobuf's own name


def enum_value(enum: _Enum[_V_co], prefix: str, option: str, name: str) -> _V_co:
    """The value that the contract calls `prefix` + NAME; ValueError names the possible ones."""
    if (full := prefix + name.upper()) in enum.keys():  # noqa: SIM118 - not a dict
        return enum.Value(full)
    names = (key.removeprefix(prefix).lower() for key in enum.keys())  # noqa: SIM118
    known = ", ".join(known for known in names if known != "unspecified")
    raise ValueError(f"{option} must be one of {known}; not {name!r}")


def _message(role: Role.ValueType, parts: Sequence[str | Part]) -> Message:
    return Message(role=role, parts=[_part(part) for part in parts])


def _from_dict(message: MessageDict) -> Message:
    keys = _keys(message)
    if not keys >= {"role", "content"}:
        raise TypeError("a message is a Message, or a dictionary with the keys role and content")
    if unknown := keys - {"role", "content", "name"}:
        raise TypeError(f"a message has no key {', '.join(map(repr, sorted(unknown)))}")
    content = message["content"]
    parts = [content] if isinstance(content, str) else content
    made = _message(enum_value(Role, "ROLE_", "role", message["role"]), parts)
    made.name = message.get("name", "")
    return made


def _keys(message: object) -> set[str]:
    return set(message) if isinstance(message, Mapping) else set()


def _part(part: str | Part) -> Part:
    return Part(text=part) if isinstance(part, str) else part


def _media(source: bytes | str, mime_type: str, name: str = "") -> Media:
    if isinstance(source, str):
        return Media(uri=source, mime_type=mime_type, name=name)
    if not mime_type:
        raise ValueError("media given as bytes needs its MIME type")
    return Media(data=source, mime_type=mime_type, name=name)
