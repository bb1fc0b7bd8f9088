"""Reads Cohere's v2 event stream, which litellm cannot, into chunks of the OpenAI shape.

litellm (1.106) takes each line of the stream for JSON, the `event:` lines too. The events are those
of Cohere's API reference, "Chat with Streaming" (v2).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.providers.litellm.fields import field, text, whole

Chunk = dict[str, object]


async def chunks(lines: AsyncIterator[str]) -> AsyncIterator[Chunk]:
    """The chunks of a stream, given its lines, whose JSON the transport has checked.

    Raises:
        UpstreamError: it is no stream of events, such as that of Cohere's first API.
    """
    async for line in lines:
        if line.startswith("{"):
            raise UpstreamError(
                Reason.UPSTREAM_INVALID_RESPONSE, "The provider answered in another API's form."
            )
        if line.startswith("data:") and line[5:].strip() not in ("", "[DONE]"):
            chunk = chunk_of(msgspec.json.decode(line[5:]))
            if chunk is not None:
                yield chunk


def chunk_of(event: object) -> Chunk | None:
    """The chunk that one event stands for, or None."""
    delta = field(event, "delta")
    message = field(delta, "message")
    kind = text(event, "type")
    if kind == "content-delta":
        content = field(message, "content")
        return _chunk(
            {"content": text(content, "text"), "reasoning_content": text(content, "thinking")}
        )
    if kind == "tool-plan-delta":
        return _chunk({"reasoning_content": text(message, "tool_plan")})
    if kind in ("tool-call-start", "tool-call-delta"):
        call = field(message, "tool_calls")
        function = {
            "name": text(field(call, "function"), "name"),
            "arguments": text(field(call, "function"), "arguments"),
        }
        made = {"index": whole(event, "index"), "id": text(call, "id"), "function": function}
        return _chunk({"tool_calls": [made]})
    if kind == "message-end":
        tokens = field(field(delta, "usage"), "tokens")
        made_usage = {
            "prompt_tokens": whole(tokens, "input_tokens"),
            "completion_tokens": whole(tokens, "output_tokens"),
        }
        return {**_chunk({}, text(delta, "finish_reason")), "usage": made_usage}
    return None


def _chunk(delta: Chunk, finish: str = "") -> Chunk:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
