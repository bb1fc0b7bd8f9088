"""Messages in the form of the Messages API: instructions apart, and turns of two roles."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

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
from interlingua_gateway.providers.anthropic.media import Fields, media_block
from interlingua_gateway.providers.form import Form
from interlingua_gateway.providers.options import json_of


class Conversation(msgspec.Struct):
    """`system` are blocks of text, `turns` messages of `user` and `assistant`."""

    system: list[Fields]
    turns: list[Fields]


def encode_messages(messages: Sequence[Message], form: Form) -> Conversation:
    """`messages` for the upstream, in their order. Those of one side that follow each other are one
    turn; instructions stand before all turns, wherever they came. The API takes no empty text, so
    that is left out.

    Raises:
        CallerError: a part cannot be sent and the caller is not lenient.
    """
    made = Conversation([], [])
    for number, message in enumerate(messages):
        path = f"messages[{number}]"
        if message.name:
            form.refuse(f"{path}.name")
        if message.role in (Role.SYSTEM, Role.DEVELOPER):
            if made.turns:
                form.warn(path, "this API takes instructions before the conversation; moved there")
            made.system.extend(_instructions(message, path, form))
        elif message.role is Role.ASSISTANT:
            _turn(made.turns, "assistant", _said(message, path, form))
        else:
            _turn(made.turns, "user", _given(message, path, form))
    return made


def _turn(turns: list[Fields], role: str, blocks: list[Fields]) -> None:
    last = turns[-1]["content"] if turns and turns[-1]["role"] == role else None
    if isinstance(last, list):
        last.extend(blocks)
    elif blocks:
        turns.append({"role": role, "content": blocks})


def _instructions(message: Message, path: str, form: Form) -> list[Fields]:
    blocks: list[Fields] = []
    for number, part in enumerate(message.parts):
        if isinstance(part, Text):
            blocks.extend(_text(part))
        else:
            form.refuse(f"{path}.parts[{number}]", "instructions are text in this API")
    return blocks


def _given(message: Message, path: str, form: Form) -> list[Fields]:
    """What the user and the tools say; the API wants results of tools before anything else."""
    results: list[Fields] = []
    rest: list[Fields] = []
    for number, part in enumerate(message.parts):
        at = f"{path}.parts[{number}]"
        if isinstance(part, ToolResult):
            results.append(_result(part, f"{at}.tool_result", form))
        elif isinstance(part, Text | Media):
            rest.extend(_content(part, at, form))
        else:
            form.refuse(at, "only the assistant's messages hold such a part")
    return results + rest


def _result(part: ToolResult, at: str, form: Form) -> Fields:
    content = [
        block
        for number, inner in enumerate(part.content)
        for block in _content(inner, f"{at}.parts[{number}]", form)
    ]
    result: Fields = {"type": "tool_result", "tool_use_id": part.tool_call_id}
    if content:
        result["content"] = content
    if part.is_error:
        result["is_error"] = True
    return result


def _content(part: Text | Media, at: str, form: Form) -> list[Fields]:
    if isinstance(part, Text):
        return _text(part)
    block = media_block(part, f"{at}.{part.kind}", form)
    return [] if block is None else [block]


def _text(part: Text) -> list[Fields]:
    return [{"type": "text", "text": part.text}] if part.text else []


def _said(message: Message, path: str, form: Form) -> list[Fields]:
    blocks: list[Fields] = []
    for number, part in enumerate(message.parts):
        blocks.extend(_answered(part, f"{path}.parts[{number}]", form))
    return blocks


def _answered(part: Part, at: str, form: Form) -> list[Fields]:
    if isinstance(part, Text):
        return _text(part)
    if isinstance(part, ToolCall):
        return [_call(part, f"{at}.tool_call.arguments_json")]
    if isinstance(part, Reasoning):
        return _thought(part, f"{at}.reasoning", form)
    kind = part.kind if isinstance(part, Media) else "tool_result"
    form.refuse(f"{at}.{kind}", "this API does not take it from the assistant")
    return []


def _call(part: ToolCall, at: str) -> Fields:
    arguments = json_of(part.arguments_json or "{}", at)
    if not isinstance(arguments, dict):
        raise CallerError.of_field(at, "must be a JSON object")
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}


def _thought(part: Reasoning, at: str, form: Form) -> list[Fields]:
    """Reasoning as it came. Without this API's signature, which is base64, it would be refused."""
    if not part.signature or not part.signature.isascii():
        form.warn(at, "this API takes only reasoning back that it has signed; left out")
        return []
    signature = part.signature.decode("ascii")
    if part.redacted:
        return [{"type": "redacted_thinking", "data": signature}]
    return [{"type": "thinking", "thinking": part.text, "signature": signature}]
