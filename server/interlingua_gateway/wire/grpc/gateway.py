"""interlingua.v1.GatewayService: Generate, StreamGenerate, Embed, BatchGenerate, CountTokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import msgspec

from interlingua.v1 import embed_pb2, generate_pb2
from interlingua_gateway.core.call import Call, Handler, Phase
from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.errors import (
    CallerError,
    GatewayError,
    Reason,
    UpstreamError,
)
from interlingua_gateway.core.events import Answer
from interlingua_gateway.core.ids import operation_id
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.run import WithinDeadline, run
from interlingua_gateway.core.types import CountRequest
from interlingua_gateway.wire.grpc import decode, decode_wishes, encode
from interlingua_gateway.wire.grpc.exchange import Exchange, Write
from interlingua_gateway.wire.grpc.parse import parse
from interlingua_gateway.wire.grpc.status import to_status
from interlingua_gateway.wire.grpc.stream import StreamWriter

MAX_BATCH_REQUESTS: Final = 1000

ToldOf: TypeAlias = Callable[[BaseException, str], GatewayError | None]
"""What the caller of an operation id is told of an exception; None if it left."""


class GatewayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of single requests."""

    max_request_bytes: int = 16 * 1024 * 1024
    batch_concurrency: int = 8


class GatewayMethods:
    """The methods that go through the stack of policies to a model."""

    def __init__(
        self, handler: Handler, options: GatewayOptions, told_of: ToldOf, clock: Clock
    ) -> None:
        self._handler = handler
        self._options = options
        self._told_of = told_of
        self._clock = clock

    async def generate(self, data: bytes, exchange: Exchange) -> bytes:
        """One whole answer."""
        pb = parse(generate_pb2.GenerateRequest, data, self._options.max_request_bytes)
        response = await self._generate(pb, exchange, exchange.id)
        return response.SerializeToString()

    async def stream_generate(self, data: bytes, exchange: Exchange, write: Write) -> None:
        """The answer as it comes; it ends with `completed` or raises."""
        pb = parse(generate_pb2.GenerateRequest, data, self._options.max_request_bytes)
        call = self._call(pb, exchange, exchange.id, streaming=True)
        writer = StreamWriter(call, write)

        async def forward(reply: Reply) -> None:
            await writer.start(reply.start, exchange.accepted_at_s)
            while (batch := await reply.next()) is not None:
                await writer.batch(batch)

        try:
            await run(call, self._handler, forward, self._clock)
            # The call is settled and recorded: now the caller may know that its answer is whole.
            call.phase = Phase.DELIVERY
            last = writer.completed(self._clock.monotonic() - call.started)
            with WithinDeadline(call, self._clock):
                await last
        except GatewayError as error:
            if writer.sent:
                error.metadata["events_sent"] = str(writer.sent)
                error.metadata["output_tokens"] = str(call.usage.output_tokens if call.usage else 0)
            raise

    async def embed(self, data: bytes, exchange: Exchange) -> bytes:
        """Vectors for every input."""
        pb = parse(embed_pb2.EmbedRequest, data, self._options.max_request_bytes)
        call = Call(
            decode.decode_embed(pb),
            call_id=exchange.id,
            method=exchange.method,
            started=exchange.started,
            deadline=exchange.deadline,
            routing=decode_wishes.decode_routing(pb),
            caching=decode_wishes.decode_caching(pb),
            priority=decode_wishes.decode_priority(pb),
            idempotency_key=decode_wishes.decode_idempotency_key(pb),
            caller=exchange.identity.calling_for(pb.user),
            tags=decode_wishes.decode_tags(pb),
            metadata=decode_wishes.decode_metadata(pb),
            trace=exchange.trace,
        )
        as_bytes = pb.encoding == embed_pb2.EMBEDDING_ENCODING_FLOAT32_LE

        async def whole(reply: Reply) -> tuple[Start, Answer]:
            answer = await reply.collect()
            if len(answer.vectors) != len(pb.inputs):
                raise UpstreamError(
                    Reason.UPSTREAM_INVALID_RESPONSE,
                    f"The provider gave {len(answer.vectors)} vectors for {len(pb.inputs)} inputs.",
                )
            return reply.start, answer

        # Encoded after the call is settled: usage and cost are final then.
        start, answer = await run(call, self._handler, whole, self._clock)
        moment = self._moment(call, exchange)
        response = encode.embed_response(call, start, answer, moment, as_bytes=as_bytes)
        return response.SerializeToString()

    async def count_tokens(self, data: bytes, exchange: Exchange) -> bytes:
        """How many input tokens a request has."""
        limit = self._options.max_request_bytes
        pb = parse(generate_pb2.CountTokensRequest, data, limit).request
        call = self._call(pb, exchange, exchange.id)
        call.request = CountRequest(request=decode.decode_generate(pb))

        async def whole(reply: Reply) -> generate_pb2.CountTokensResponse:
            count = (await reply.collect()).token_count
            if count is None:
                raise UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, "Nothing was counted.")
            found = generate_pb2.CountTokensResponse(
                input_tokens=count.tokens, estimated=count.estimated
            )
            accepted_at_s = exchange.accepted_at_s
            encode.fill_answered_by(found.answered_by, call, reply.start, accepted_at_s)
            return found

        response = await run(call, self._handler, whole, self._clock)
        return response.SerializeToString()

    async def batch_generate(self, data: bytes, exchange: Exchange, write: Write) -> None:
        """Every request on its own, each result as it gets ready."""
        pb = parse(generate_pb2.BatchGenerateRequest, data, self._options.max_request_bytes)
        width = self._batch_width(pb)
        waiting = iter(enumerate(pb.requests))
        results: asyncio.Queue[generate_pb2.BatchGenerateResponse] = asyncio.Queue(width)
        tasks = Tasks()
        try:
            for number in range(width):
                worker = self._batch_worker(waiting, results, exchange)
                tasks.start(worker, f"{exchange.id}-{number}")
            for _ in pb.requests:
                result = await results.get()
                await write(result.SerializeToString())
        finally:
            await tasks.aclose()

    def _batch_width(self, pb: generate_pb2.BatchGenerateRequest) -> int:
        if not 1 <= len(pb.requests) <= MAX_BATCH_REQUESTS:
            raise CallerError.of_field("requests", f"must be 1 to {MAX_BATCH_REQUESTS} requests")
        if pb.HasField("max_parallel") and pb.max_parallel < 1:
            raise CallerError.of_field("max_parallel", "must be at least 1")
        widest = self._options.batch_concurrency
        asked = pb.max_parallel if pb.HasField("max_parallel") else widest
        return min(widest, asked, len(pb.requests))

    async def _batch_worker(
        self,
        waiting: Iterator[tuple[int, generate_pb2.GenerateRequest]],
        results: asyncio.Queue[generate_pb2.BatchGenerateResponse],
        exchange: Exchange,
    ) -> None:
        for index, pb in waiting:
            result = generate_pb2.BatchGenerateResponse(index=index)
            item_id = operation_id(self._clock)
            try:
                result.response.CopyFrom(await self._generate(pb, exchange, item_id))
            except BaseException as error:  # root of a task: the batch must not hang
                failure = self._told_of(error, item_id)
                if failure is None:
                    raise
                result.error.CopyFrom(to_status(failure, item_id))
            await results.put(result)

    async def _generate(
        self, pb: generate_pb2.GenerateRequest, exchange: Exchange, call_id: str
    ) -> generate_pb2.GenerateResponse:
        call = self._call(pb, exchange, call_id)

        async def whole(reply: Reply) -> tuple[Start, Answer]:
            return reply.start, await reply.collect()

        # Encoded after the call is settled: usage and cost are final then.
        start, answer = await run(call, self._handler, whole, self._clock)
        moment = self._moment(call, exchange)
        return encode.generate_response(call, start, answer, moment)

    def _call(
        self,
        pb: generate_pb2.GenerateRequest,
        exchange: Exchange,
        call_id: str,
        *,
        streaming: bool = False,
    ) -> Call:
        return Call(
            decode.decode_generate(pb),
            call_id=call_id,
            method=exchange.method,
            started=exchange.started if call_id == exchange.id else self._clock.monotonic(),
            deadline=exchange.deadline,
            streaming=streaming,
            routing=decode_wishes.decode_routing(pb),
            caching=decode_wishes.decode_caching(pb),
            priority=decode_wishes.decode_priority(pb),
            idempotency_key=decode_wishes.decode_idempotency_key(pb),
            caller=exchange.identity.calling_for(pb.user),
            tags=decode_wishes.decode_tags(pb),
            metadata=decode_wishes.decode_metadata(pb),
            trace=exchange.trace,
        )

    def _moment(self, call: Call, exchange: Exchange) -> encode.Moment:
        return encode.Moment(exchange.accepted_at_s, self._clock.monotonic() - call.started)
