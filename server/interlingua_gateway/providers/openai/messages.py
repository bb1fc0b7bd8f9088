"""Messages in the form of OpenAI's chat completions."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import TypeAlias

from interlingua_gateway.core.types import (
    Media,
    MediaKind,
    Message,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from interlingua_gateway.providers.form import Form
from interlingua_gateway.providers.openai.quirks import Quirks

Fields: TypeAlias = dict[str, object]

_AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
}


def encode_messages(messages: Sequence[Message], form: Form, quirks: Quirks) -> list[Fields]:
    """`messages` for the upstream, in their order; a tool result is a message of its own there.

    Raises:
        CallerError: a part cannot be sent and the caller is not lenient.
    """
    encoded: list[Fields] = []
    for number, message in enumerate(messages):
        if message.role is Role.ASSISTANT:
            fields = _assistant(message, f"messages[{number}]", form, quirks)
        elif (said := _only_text(message)) is not None:
            fields = {"role": _role(message.role, quirks), "content": said}
        else:
            path = f"messages[{number}]"
            encoded.extend(_results(message, path, form))
            content = _content(message, path, form)
            if content is None:
                continue
            fields = {"role": _role(message.role, quirks), "content": content}
        if message.name:
            fields["name"] = message.name
        encoded.append(fields)
    return encoded


def _role(role: Role, quirks: Quirks) -> str:
    if role is Role.DEVELOPER:
        return "developer" if quirks.developer_role else "system"
    return "system" if role is Role.SYSTEM else "user"


def _only_text(message: Message) -> str | None:
    """The text of a message that is nothing else."""
    parts = message.parts
    return parts[0].text if len(parts) == 1 and isinstance(parts[0], Text) else None


def _content(message: Message, path: str, form: Form) -> list[Fields] | None:
    """All parts but tool results; None for a message of nothing else."""
    encoded: list[Fields] = []
    for number, part in enumerate(message.parts):
        if isinstance(part, Text):
            encoded.append({"type": "text", "text": part.text})
        elif isinstance(part, Media):
            media = _media(part, f"{path}.parts[{number}]", form)
            if media is not None:
                encoded.append(media)
        elif not isinstance(part, ToolResult):
            form.refuse(f"{path}.parts[{number}]", "only the assistant's messages hold such a part")
    return encoded or None


def _results(message: Message, path: str, form: Form) -> list[Fields]:
    """The tool results of a message. The API has no mark for a failed tool, so the text says it."""
    encoded: list[Fields] = []
    for number, part in enumerate(message.parts):
        if not isinstance(part, ToolResult):
            continue
        texts = ["Error: "] if part.is_error else []
        for inner_number, inner in enumerate(part.content):
            if isinstance(inner, Text):
                texts.append(inner.text)
            else:
                at = f"{path}.parts[{number}].tool_result.parts[{inner_number}].{inner.kind}"
                form.refuse(at, "this API takes only text as a tool's result")
        content = "".join(texts)
        encoded.append({"role": "tool", "tool_call_id": part.tool_call_id, "content": content})
    return encoded


def _assistant(message: Message, path: str, form: Form, quirks: Quirks) -> Fields:
    texts: list[str] = []
    reasoning: list[str] = []
    calls: list[Fields] = []
    for number, part in enumerate(message.parts):
        at = f"{path}.parts[{number}]"
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, ToolCall):
            function = {"name": part.name, "arguments": part.arguments_json}
            calls.append({"id": part.id, "type": "function", "function": function})
        elif isinstance(part, Reasoning):
            reasoning.append(part.text)
            if not quirks.reasoning_back:
                form.warn(f"{at}.reasoning", "this API takes no reasoning back; left out")
        else:
            kind = part.kind if isinstance(part, Media) else "tool_result"
            form.refuse(f"{at}.{kind}", "this API does not take it from the assistant")
    fields: Fields = {"role": "assistant", "content": "".join(texts)}
    if calls:
        fields["tool_calls"] = calls
        fields["content"] = fields["content"] or None
    if reasoning and quirks.reasoning_back:
        fields[quirks.reasoning_back] = "".join(reasoning)
    return fields


def _media(media: Media, path: str, form: Form) -> Fields | None:
    at = f"{path}.{media.kind}"
    if not form.takes(f"{media.kind}_input", at):
        return None
    if media.kind is MediaKind.IMAGE:
        image: Fields = {"url": _url(media)}
        if media.detail:
            image["detail"] = media.detail
        return {"type": "image_url", "image_url": image}
    if media.kind is MediaKind.VIDEO:
        return {"type": "video_url", "video_url": {"url": _url(media)}}
    if media.kind is MediaKind.AUDIO:
        return _audio(media, at, form)
    if media.data is None and not form.takes("file_uri", f"{at}.uri"):
        return None
    name = media.name or "file." + media.mime_type.rpartition("/")[2]
    return {"type": "file", "file": {"filename": name, "file_data": _url(media)}}


def _audio(media: Media, at: str, form: Form) -> Fields | None:
    if media.data is None:
        form.refuse(f"{at}.uri", "this API takes audio only as bytes")
        return None
    mime_type = media.mime_type.partition(";")[0].strip().lower()
    form_name = _AUDIO_FORMATS.get(mime_type)
    if form_name is None:
        form.refuse(f"{at}.mime_type", f"must be one of {', '.join(sorted(_AUDIO_FORMATS))}")
        return None
    return {"type": "input_audio", "input_audio": {"data": _base64(media), "format": form_name}}


def _url(media: Media) -> str:
    if media.uri is not None:
        return media.uri
    return f"data:{media.mime_type};base64,{_base64(media)}"


def _base64(media: Media) -> str:
    return binascii.b2a_base64(media.data or b"", newline=False).decode("ascii")
