"""One short conversation in the wire format of each kind of upstream that litellm speaks to."""

from __future__ import annotations

import binascii
import json
import struct
from collections.abc import Callable, Sequence

import msgspec

from tests.support.upstream import STREAM_HEAD, chunk

Json = dict[str, object]


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """How an upstream of one kind answers "Hi" with "Hello there" and a count of 7 and 3 tokens.

    `pieces` are the bytes of its streamed answer, cut between events; the last piece that tells of
    the finish and all after it stand at the end, `unfinished` counts the pieces before those.
    """

    name: str
    model: str
    params: dict[str, str]
    path: str
    whole: bytes
    head: bytes
    pieces: tuple[bytes, ...]
    unfinished: int

    def stream(self) -> bytes:
        """The whole response as a stream."""
        return self.head + b"".join(chunk(piece) for piece in self.pieces) + b"0\r\n\r\n"

    def cut(self) -> bytes:
        """The stream as one that just stops, in order, before its finish."""
        return (
            self.head
            + b"".join(chunk(piece) for piece in self.pieces[: self.unfinished])
            + b"0\r\n\r\n"
        )


def events(payloads: Sequence[Json], *, named: bool = False, done: bool = False) -> list[bytes]:
    """Server-sent events, one a piece."""
    made = []
    for payload in payloads:
        name = f"event: {payload['type']}\n" if named else ""
        made.append(f"{name}data: {json.dumps(payload)}\n\n".encode())
    return [*made, b"data: [DONE]\n\n"] if done else made


def lines(payloads: Sequence[Json]) -> list[bytes]:
    """JSON lines, one a piece."""
    return [json.dumps(payload).encode() + b"\n" for payload in payloads]


def aws_event(kind: str, payload: Json) -> bytes:
    """One message of Amazon's event stream: prelude, headers, payload, each with its CRC32."""
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in (
            (":event-type", kind.encode()),
            (":content-type", b"application/json"),
            (":message-type", b"event"),
        )
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + body
    return message + struct.pack(">I", binascii.crc32(message))


def head(content_type: str) -> bytes:
    """The head of a chunked response."""
    return STREAM_HEAD.replace(b"text/event-stream", content_type.encode())


def openai_chunk(delta: Json, finish: str | None = None, index: int = 0) -> Json:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-x",
        "choices": [choice],
    }


_OPENAI_USAGE: Json = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
_KEY = {"api_key": "sk-canary-0123456789abcdef"}
_AWS = {
    "aws_access_key_id": "AKIACANARY0123456789",
    "aws_secret_access_key": "canary-secret-0123456789",
    "aws_region_name": "us-east-1",
}

OPENAI = Wire(
    name="openai",
    model="openai/gpt-4o",
    params=_KEY,
    path="/chat/completions",
    whole=json.dumps(
        {
            "id": "c-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-x",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hello there"},
                    "finish_reason": "stop",
                }
            ],
            "usage": _OPENAI_USAGE,
        }
    ).encode(),
    head=STREAM_HEAD,
    pieces=tuple(
        events(
            [
                openai_chunk({"role": "assistant", "content": ""}),
                openai_chunk({"content": "Hello "}),
                openai_chunk({"content": "there"}),
                openai_chunk({}, "stop"),
                {**openai_chunk({}), "choices": [], "usage": _OPENAI_USAGE},
            ],
            done=True,
        )
    ),
    unfinished=3,
)

ANTHROPIC = Wire(
    name="anthropic",
    model="anthropic/claude-sonnet-4-20250514",
    params=_KEY,
    path="/v1/messages",
    whole=json.dumps(
        {
            "id": "c-1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [{"type": "text", "text": "Hello there"}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 7, "output_tokens": 3},
        }
    ).encode(),
    head=STREAM_HEAD,
    pieces=tuple(
        events(
            [
                {
                    "type": "message_start",
                    "message": {
                        "id": "c-1",
                        "type": "message",
                        "role": "assistant",
                        "model": "claude-x",
                        "content": [],
                        "stop_reason": None,
                        "usage": {"input_tokens": 7, "output_tokens": 1},
                    },
                },
                {
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": {"type": "text", "text": ""},
                },
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": "Hello "},
                },
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": "there"},
                },
                {"type": "content_block_stop", "index": 0},
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                    "usage": {"output_tokens": 3},
                },
                {"type": "message_stop"},
            ],
            named=True,
        )
    ),
    unfinished=5,
)


def _gemini(text: str, **more: object) -> Json:
    return {
        "candidates": [
            {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}
        ],
        "usageMetadata": {
            "promptTokenCount": 7,
            "candidatesTokenCount": 3,
            "totalTokenCount": 10,
        },
        "modelVersion": "gemini-x",
        "responseId": "c-1",
    }


GEMINI = Wire(
    name="gemini",
    model="gemini/gemini-2.5-flash",
    params=_KEY,
    path="/models/gemini-2.5-flash:",
    whole=json.dumps(_gemini("Hello there", finishReason="STOP")).encode(),
    head=STREAM_HEAD,
    pieces=tuple(
        events([_gemini("Hello "), _gemini("there"), _gemini("", finishReason="STOP")]),
    ),
    unfinished=2,
)

COHERE = Wire(
    name="cohere",
    model="cohere_chat/command-a-03-2025",
    params=_KEY,
    path="/",
    whole=json.dumps(
        {
            "id": "c-1",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello there"}]},
            "usage": {"tokens": {"input_tokens": 7, "output_tokens": 3}},
        }
    ).encode(),
    head=STREAM_HEAD,
    pieces=tuple(
        events(
            [
                {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}},
                {
                    "type": "content-start",
                    "index": 0,
                    "delta": {"message": {"content": {"type": "text", "text": ""}}},
                },
                {
                    "type": "content-delta",
                    "index": 0,
                    "delta": {"message": {"content": {"text": "Hello "}}},
                },
                {
                    "type": "content-delta",
                    "index": 0,
                    "delta": {"message": {"content": {"text": "there"}}},
                },
                {"type": "content-end", "index": 0},
                {
                    "type": "message-end",
                    "delta": {
                        "finish_reason": "COMPLETE",
                        "usage": {"tokens": {"input_tokens": 7, "output_tokens": 3}},
                    },
                },
            ],
            named=True,
        )
    ),
    unfinished=5,
)


def _ollama(text: str, **more: object) -> Json:
    return {
        "model": "llama-x",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": text},
        "done": False,
        **more,
    }


_OLLAMA_END: Json = {
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 7,
    "eval_count": 3,
}

OLLAMA = Wire(
    name="ollama",
    model="ollama_chat/llama3",
    params={},
    path="/api/chat",
    whole=json.dumps(_ollama("Hello there", **_OLLAMA_END)).encode(),
    head=head("application/x-ndjson"),
    pieces=tuple(lines([_ollama("Hello "), _ollama("there"), _ollama("", **_OLLAMA_END)])),
    unfinished=2,
)

BEDROCK = Wire(
    name="bedrock",
    model="bedrock/converse/amazon.nova-lite-v1:0",
    params=_AWS,
    path="/model/",
    whole=json.dumps(
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "Hello there"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
            "metrics": {"latencyMs": 1},
        }
    ).encode(),
    head=head("application/vnd.amazon.eventstream"),
    pieces=(
        aws_event("messageStart", {"role": "assistant"}),
        aws_event("contentBlockDelta", {"delta": {"text": "Hello "}, "contentBlockIndex": 0}),
        aws_event("contentBlockDelta", {"delta": {"text": "there"}, "contentBlockIndex": 0}),
        aws_event("contentBlockStop", {"contentBlockIndex": 0}),
        aws_event("messageStop", {"stopReason": "end_turn"}),
        aws_event(
            "metadata",
            {
                "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
                "metrics": {"latencyMs": 1},
            },
        ),
    ),
    unfinished=4,
)

WIRES = (OPENAI, ANTHROPIC, GEMINI, COHERE, OLLAMA, BEDROCK)
SECRETS = (*_KEY.values(), *(value for name, value in _AWS.items() if "region" not in name))

Making = Callable[[Wire], bytes]
