"""Writes a reply as the contract's stream: one numbered event after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from interlingua.v1 import generate_pb2
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.events import (
    AnswerEvent,
    AttemptMade,
    Batch,
    Finish,
    LogprobsDelta,
    MediaDelta,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageUpdate,
)
from interlingua_gateway.core.reply import Start
from interlingua_gateway.core.types import MediaKind
from interlingua_gateway.wire.grpc import encode

Message = generate_pb2.StreamGenerateResponse
Write: TypeAlias = Callable[[bytes], Awaitable[None]]


class StreamWriter:
    """Numbers and writes the events of one stream; adjacent text of a batch is one message.

    `sent` counts the messages that were handed to gRPC.
    """

    __slots__ = ("_call", "_write", "sent")

    def __init__(self, call: Call, write: Write) -> None:
        self._call = call
        self._write = write
        self.sent = 0

    async def start(self, start: Start, accepted_at_s: float) -> None:
        """Write the start event, and an attempt event for each target that failed before."""
        message = Message()
        message.start.operation_id = self._call.id
        encode.fill_answered_by(message.start.answered_by, self._call, start, accepted_at_s)
        await self._send(message)
        for record in self._call.attempts:
            if record.outcome != "ok":
                await self._send(Message(attempt=encode.attempt(record)))

    async def batch(self, batch: Batch) -> None:
        """Write all events of one batch."""
        index = 0
        pieces: list[str] = []
        for event in batch:
            if type(event) is TextDelta:
                if pieces and event.index != index:
                    await self._text(index, pieces)
                    pieces = []
                index = event.index
                pieces.append(event.text)
            else:
                if pieces:
                    await self._text(index, pieces)
                    pieces = []
                message = _message(event)
                if message is not None:
                    await self._send(message)
        if pieces:
            await self._text(index, pieces)

    async def completed(self, total_s: float) -> None:
        """Write the last event: the stream is whole."""
        await self._send(encode.stream_completed(self._call, total_s))

    def _text(self, index: int, pieces: list[str]) -> Awaitable[None]:
        text = pieces[0] if len(pieces) == 1 else "".join(pieces)
        return self._send(Message(candidate_index=index, text_delta=text))

    async def _send(self, message: generate_pb2.StreamGenerateResponse) -> None:
        message.sequence = self.sent
        await self._write(message.SerializeToString())
        self.sent += 1


def _message(event: AnswerEvent) -> generate_pb2.StreamGenerateResponse | None:
    convert = _CONVERT.get(type(event))
    return convert(event) if convert is not None else None


def _reasoning(event: ReasoningDelta) -> generate_pb2.StreamGenerateResponse:
    delta = generate_pb2.ReasoningDelta(
        text=event.text, signature=event.signature, redacted=event.redacted
    )
    return Message(candidate_index=event.index, reasoning_delta=delta)


def _tool_call(event: ToolCallDelta) -> generate_pb2.StreamGenerateResponse:
    delta = generate_pb2.ToolCallDelta(
        call_index=event.call,
        id=event.id,
        name=event.name,
        arguments_json_fragment=event.arguments_json,
    )
    return Message(candidate_index=event.index, tool_call_delta=delta)


def _media(event: MediaDelta) -> generate_pb2.StreamGenerateResponse:
    image = event.media.kind is MediaKind.IMAGE
    kind = generate_pb2.MEDIA_DELTA_KIND_IMAGE if image else generate_pb2.MEDIA_DELTA_KIND_AUDIO
    delta = generate_pb2.MediaDelta(kind=kind, media=encode.media(event.media))
    return Message(candidate_index=event.index, media_delta=delta)


def _logprobs(event: LogprobsDelta) -> generate_pb2.StreamGenerateResponse:
    delta = generate_pb2.LogprobsDelta(tokens=encode.logprobs(event.tokens))
    return Message(candidate_index=event.index, logprobs=delta)


def _usage(event: UsageUpdate) -> generate_pb2.StreamGenerateResponse:
    message = Message()
    encode.fill_usage(message.usage, event.usage)
    return message


def _attempt(event: AttemptMade) -> generate_pb2.StreamGenerateResponse:
    return Message(attempt=encode.attempt(event.record))


def _finish(event: Finish) -> generate_pb2.StreamGenerateResponse:
    message = Message(candidate_index=event.index)
    encode.fill_finish(message.finish, event)
    return message


_CONVERT: Final[dict[type, Callable[..., generate_pb2.StreamGenerateResponse]]] = {
    ReasoningDelta: _reasoning,
    ToolCallDelta: _tool_call,
    MediaDelta: _media,
    LogprobsDelta: _logprobs,
    UsageUpdate: _usage,
    AttemptMade: _attempt,
    Finish: _finish,
}
