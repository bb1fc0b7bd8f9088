"""Performs scripts: the events of one answer, as far as its request does not change them."""

from __future__ import annotations

import hashlib
import math
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from interlingua_gateway.core.events import (
    AnswerEvent,
    Finish,
    FinishReason,
    LogprobsDelta,
    MediaDelta,
    ReasoningDelta,
    TextDelta,
    TokenCount,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
    UsageUpdate,
    Vector,
)
from interlingua_gateway.core.types import (
    CountRequest,
    EmbedRequest,
    GenerateRequest,
    Media,
    Request,
    Role,
    Text,
    ToolMode,
)
from interlingua_gateway.providers.script import (
    CallTool,
    Deltas,
    End,
    Fail,
    Hang,
    Say,
    Script,
    Show,
    Think,
    Wait,
)

EMBEDDING_DIMENSIONS = 32

Move: TypeAlias = AnswerEvent | Wait | Fail | Hang
"""What happens next in a performance."""


def moves(request: Request, script: Script | None, turn: int = 1) -> Iterator[Move]:
    """What `script` does for `request` in performance number `turn`.

    Without a script the last user message is echoed.
    """
    if isinstance(request, CountRequest):
        return iter((TokenCount(_input_tokens(request.request), estimated=False),))
    if isinstance(request, EmbedRequest):
        return _embed(request)
    return _perform(script if script is not None else _echo(request), request, turn)


def _echo(request: GenerateRequest) -> Script:
    choice = request.tool_choice
    if request.tools and choice and choice.mode in (ToolMode.REQUIRED, ToolMode.NAMED):
        return (CallTool(id="call_0", name=choice.name or request.tools[0].name),)
    for message in reversed(request.messages):
        if message.role is Role.USER:
            return (Say(_text_of(message.parts) or "?"),)
    return (Say("?"),)


def _perform(script: Script, request: GenerateRequest, turn: int) -> Iterator[Move]:
    performance = _Performance(request)
    for step in script:
        match step:
            case Wait() | Hang():
                yield step
            case Fail():
                if not step.passes(turn):
                    yield step
            case End():
                performance.end_as(step)
            case _:
                yield from performance.perform(step)
    yield from performance.end()


class _Performance:
    """What has been said so far, and why it must end."""

    def __init__(self, request: GenerateRequest) -> None:
        self._request = request
        self._candidates = range(request.sampling.n or 1)
        self._tokens = 0
        self._reasoning_tokens = 0
        self._calls = 0
        self._finish = FinishReason.STOP
        self._stopped_by = ""
        self._upstream_reason = ""

    def perform(self, step: Say | Deltas | Think | CallTool | Show) -> Iterator[Move]:
        match step:
            case Say():
                return self._say(step)
            case Deltas():
                return self._deltas(step)
            case Think():
                return self._think(step)
            case CallTool():
                return self._call_tool(step)
            case Show():
                return self._show(step)

    def end_as(self, step: End) -> None:
        self._finish, self._upstream_reason = step.reason, step.upstream_reason

    def _say(self, step: Say) -> Iterator[Move]:
        text, stopped_by = self._until_stop(step.text)
        limit = self._request.sampling.max_output_tokens
        for word in re.findall(r"\s*\S+\s*$|\s*\S+", text):
            if self._finish is not FinishReason.STOP:
                return
            if limit is not None and self._tokens >= limit:
                self._finish = FinishReason.LENGTH
                return
            if step.pause_s and self._tokens:
                yield Wait(step.pause_s)
            self._tokens += 1
            yield from self._word(word)
        if stopped_by:
            self._finish, self._stopped_by = FinishReason.STOP_SEQUENCE, stopped_by

    def _until_stop(self, text: str) -> tuple[str, str]:
        """`text` up to the first stop sequence in it, and that sequence or nothing."""
        found = [(text.find(stop), stop) for stop in self._request.sampling.stop if stop in text]
        if not found:
            return text, ""
        at, stop = min(found)
        return text[:at], stop

    def _word(self, word: str) -> Iterator[Move]:
        sampling = self._request.sampling
        for index in self._candidates:
            yield TextDelta(index, word)
            if sampling.logprobs:
                yield LogprobsDelta(index, (_logprob(word, sampling.top_logprobs),))

    def _deltas(self, step: Deltas) -> Iterator[Move]:
        for _ in range(step.times):
            for text in step.texts:
                self._tokens += 1
                yield from self._word(text * step.repeat)

    def _show(self, step: Show) -> Iterator[Move]:
        media = Media(kind=step.kind, mime_type=step.mime_type, data=step.data)
        for index in self._candidates:
            yield MediaDelta(index, media)

    def _think(self, step: Think) -> Iterator[Move]:
        tokens = len(step.text.split())
        self._tokens += tokens
        self._reasoning_tokens += tokens
        for index in self._candidates:
            yield ReasoningDelta(index, step.text)
            if step.signature:
                yield ReasoningDelta(index, signature=step.signature.encode())

    def _call_tool(self, step: CallTool) -> Iterator[Move]:
        self._tokens += 1
        self._finish = FinishReason.TOOL_CALLS
        half = len(step.arguments_json) // 2
        first, second = step.arguments_json[:half], step.arguments_json[half:]
        for index in self._candidates:
            yield ToolCallDelta(index, self._calls, step.id, step.name, first)
            yield ToolCallDelta(index, self._calls, arguments_json=second)
        self._calls += 1

    def end(self) -> Iterator[Move]:
        for index in self._candidates:
            yield Finish(index, self._finish, self._stopped_by, self._upstream_reason)
        yield UsageUpdate(
            Usage(
                input_tokens=_input_tokens(self._request),
                output_tokens=self._tokens * len(self._candidates),
                reasoning_tokens=self._reasoning_tokens * len(self._candidates),
            )
        )


def _logprob(word: str, top: int | None) -> TokenLogprob:
    value = -(zlib.crc32(word.encode()) % 1000) / 1000
    others = tuple(TopLogprob(f"{word}{n}", value - n) for n in range(1, top or 0))
    best = (TopLogprob(word, value, word.encode()), *others) if top else ()
    return TokenLogprob(word, value, word.encode(), best)


def _embed(request: EmbedRequest) -> Iterator[Move]:
    dimensions = request.dimensions or EMBEDDING_DIMENSIONS
    tokens = 0
    for index, item in enumerate(request.inputs):
        text = item.text if item.text is not None else " ".join(map(str, item.tokens))
        tokens += len(text.split())
        yield Vector(index, _vector(text, dimensions))
    yield UsageUpdate(Usage(input_tokens=tokens))


def _vector(text: str, dimensions: int) -> bytes:
    """A unit vector that depends only on `text`, as little-endian float32."""
    digest = hashlib.shake_256(text.encode()).digest(4 * dimensions)
    values = [number / 2**31 for number in struct.unpack(f"<{dimensions}i", digest)]
    length = math.hypot(*values) or 1.0
    return struct.pack(f"<{dimensions}f", *(value / length for value in values))


def _input_tokens(request: GenerateRequest) -> int:
    return sum(len(_text_of(message.parts).split()) for message in request.messages)


def _text_of(parts: Sequence[object]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))
