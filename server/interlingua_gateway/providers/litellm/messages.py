"""Turns the gateway's messages into the OpenAI message shape that litellm starts from."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from interlingua_gateway.core.call import Attempt
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
from interlingua_gateway.providers.litellm.facts import GOOGLE, VIDEO, Facts
from interlingua_gateway.providers.litellm.refusals import leave_out

Json = dict[str, object]

_AUDIO_FORMATS = frozenset({"wav", "mp3", "flac", "opus", "pcm16", "ogg", "aac", "aiff"})


def messages_of(messages: tuple[Message, ...], facts: Facts, attempt: Attempt) -> list[Json]:
    """All messages; a tool result becomes a message of its own, in its place.

    Raises:
        CallerError: a part is of a kind that the provider does not take.
    """
    made: list[Json] = []
    for number, message in enumerate(messages):
        writer = _Writer(facts, attempt, f"messages[{number}]")
        made.extend(writer.write(message))
    return made


class _Writer:
    """Writes one message."""

    __slots__ = ("_attempt", "_facts", "_path")

    def __init__(self, facts: Facts, attempt: Attempt, path: str) -> None:
        self._facts = facts
        self._attempt = attempt
        self._path = path

    def write(self, message: Message) -> list[Json]:
        results = [
            self._result(part, f"{self._path}.parts[{number}]")
            for number, part in enumerate(message.parts)
            if isinstance(part, ToolResult)
        ]
        rest = [
            (number, part)
            for number, part in enumerate(message.parts)
            if not isinstance(part, ToolResult)
        ]
        if rest or not results:
            results.append(self._message(message, rest))
        return results

    def _message(self, message: Message, parts: Sequence[tuple[int, Part]]) -> Json:
        content: list[Json] = []
        for number, part in parts:
            if isinstance(part, Text | Media):
                content.extend(self._content(part, f"{self._path}.parts[{number}]"))
        calls = [_call(part) for _, part in parts if isinstance(part, ToolCall)]
        thoughts = [_thought(part) for _, part in parts if isinstance(part, Reasoning)]
        made: Json = {"role": message.role.value, "content": _plain(content)}
        if message.name is not None:
            made["name"] = message.name
        if calls:
            made["tool_calls"] = calls
        if thoughts:
            made["thinking_blocks"] = thoughts
        if message.role is Role.ASSISTANT and not content:
            made["content"] = None
        return made

    def _result(self, result: ToolResult, path: str) -> Json:
        content = [block for part in result.content for block in self._content(part, path)]
        if result.is_error:
            content.insert(0, {"type": "text", "text": "Error: "})
        made: Json = {
            "role": "tool",
            "tool_call_id": result.tool_call_id,
            "content": _plain(content),
        }
        if result.name is not None:
            made["name"] = result.name
        return made

    def _content(self, part: Text | Media, path: str) -> list[Json]:
        if isinstance(part, Text):
            return [{"type": "text", "text": part.text}]
        if part.kind is MediaKind.IMAGE:
            return [self._image(part)]
        if part.kind is MediaKind.AUDIO:
            return self._audio(part, path)
        if part.kind is MediaKind.VIDEO and self._facts.provider not in VIDEO:
            leave_out(self._attempt, f"{path}.video", "This provider takes no video.")
            return []
        return [_file(part)]

    def _image(self, part: Media) -> Json:
        image: Json = {"url": part.uri or _data_uri(part)}
        if part.detail is not None:
            image["detail"] = part.detail
        if part.uri is not None and part.mime_type and self._facts.provider in GOOGLE:
            image["format"] = part.mime_type
        return {"type": "image_url", "image_url": image}

    def _audio(self, part: Media, path: str) -> list[Json]:
        if part.data is None:
            if self._facts.provider in GOOGLE:
                return [_file(part)]
            leave_out(self._attempt, f"{path}.audio.uri", "This provider takes audio as bytes.")
            return []
        name = part.mime_type.partition("/")[2].partition(";")[0].removeprefix("x-")
        name = {"mpeg": "mp3", "wave": "wav"}.get(name, name)
        if name not in _AUDIO_FORMATS:
            leave_out(self._attempt, f"{path}.audio.mime_type", "Unknown kind of audio.")
            return []
        audio = {"data": base64.b64encode(part.data).decode(), "format": name}
        return [{"type": "input_audio", "input_audio": audio}]


def _plain(content: list[Json]) -> object:
    """A string where there is nothing but text: every provider takes that."""
    if all(block["type"] == "text" for block in content):
        return "".join(str(block["text"]) for block in content) if len(content) < 2 else content
    return content


def _call(part: ToolCall) -> Json:
    function = {"name": part.name, "arguments": part.arguments_json}
    return {"id": part.id, "type": "function", "function": function}


def _thought(part: Reasoning) -> Json:
    signature = part.signature.decode(errors="replace")
    if part.redacted:
        return {"type": "redacted_thinking", "data": signature}
    return {"type": "thinking", "thinking": part.text, "signature": signature}


def _file(part: Media) -> Json:
    file: Json = {"format": part.mime_type}
    if part.uri is not None:
        file["file_id"] = part.uri
    else:
        file["file_data"] = _data_uri(part)
    if part.name is not None:
        file["filename"] = part.name
    return {"type": "file", "file": file}


def _data_uri(part: Media) -> str:
    return f"data:{part.mime_type};base64,{base64.b64encode(part.data or b'').decode()}"
