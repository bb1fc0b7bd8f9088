"""A streamed answer, for asyncio."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import grpc.aio

from interlingua.errors import CallCancelledError, StreamBrokenError, from_rpc_error
from interlingua.record import StreamRecord
from interlingua.results import GenerateResult
from interlingua.v1.generate_pb2 import GenerateRequest, StreamGenerateResponse


class AsyncStream(AsyncIterator[StreamGenerateResponse]):
    """The events of an answer as they come, as messages of the contract.

    Iteration ends quietly only after the whole answer; otherwise it raises what went wrong, again
    at every further try. Leaving the `async with` block, or `aclose`, cancels what has not ended,
    and so does cancelling the task that waits for an event.
    """

    __slots__ = ("__weakref__", "_call", "_record")

    def __init__(
        self, call: grpc.aio.UnaryStreamCall[GenerateRequest, StreamGenerateResponse]
    ) -> None:
        self._call = call
        self._record = StreamRecord()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def __anext__(self) -> StreamGenerateResponse:
        self._record.raise_if_failed()
        try:
            event = await self._call.read()
        except grpc.RpcError as error:
            raise self._record.fail(from_rpc_error(error)) from error
        except asyncio.CancelledError:
            self._record.close()
            if task_is_cancelled():
                raise
            raise self._record.fail(local_cancel()) from None
        if not isinstance(event, StreamGenerateResponse):
            self._record.end()
            raise StopAsyncIteration
        try:
            self._record.add(event)
        except StreamBrokenError:
            self._call.cancel()
            raise
        return event

    async def text_deltas(self, candidate: int = 0) -> AsyncIterator[str]:
        """The text of one candidate as it comes; skips every other event."""
        async for event in self:
            if event.candidate_index == candidate and event.text_delta:
                yield event.text_delta

    async def collect(self) -> GenerateResult:
        """Reads the rest and returns the whole answer."""
        async for _ in self:
            pass
        return self.response

    @property
    def response(self) -> GenerateResult:
        """The whole answer, after its end. Raises what the stream failed of, or RuntimeError."""
        return self._record.response

    @property
    def partial(self) -> GenerateResult:
        """The answer as far as it has been read, whole or not."""
        return self._record.partial()

    async def aclose(self) -> None:
        """Cancels the answer if it has not ended; the gateway then ends it at the provider."""
        self._record.close()
        self._call.cancel()


def task_is_cancelled() -> bool:
    """Whether a CancelledError is the running task's own, and not that of a call or channel."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def local_cancel() -> CallCancelledError:
    """What to raise for a call that ended because its stream or client was closed."""
    return CallCancelledError("the call's client was closed", code=grpc.StatusCode.CANCELLED)
