"""A streamed answer, for blocking readers."""

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

import grpc

from interlingua.errors import StreamBrokenError, from_rpc_error
from interlingua.record import StreamRecord
from interlingua.results import GenerateResult
from interlingua.v1.generate_pb2 import StreamGenerateResponse


class _Call(Protocol):
    def __iter__(self) -> Iterator[StreamGenerateResponse]: ...
    def cancel(self) -> bool: ...


class Stream(Iterator[StreamGenerateResponse]):
    """The events of an answer as they come, as messages of the contract.

    Iteration ends quietly only after the whole answer; otherwise it raises what went wrong, again
    at every further try. Leaving the `with` block, or `close`, cancels what has not ended.
    """

    __slots__ = ("_call", "_events", "_record")

    def __init__(self, call: _Call) -> None:
        self._call = call
        self._events = iter(call)
        self._record = StreamRecord()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __next__(self) -> StreamGenerateResponse:
        self._record.raise_if_failed()
        try:
            event = next(self._events)
        except StopIteration:
            self._record.end()
            raise
        except grpc.RpcError as error:
            raise self._record.fail(from_rpc_error(error)) from error
        try:
            self._record.add(event)
        except StreamBrokenError:
            self._call.cancel()
            raise
        return event

    def text_deltas(self, candidate: int = 0) -> Iterator[str]:
        """The text of one candidate as it comes; skips every other event."""
        for event in self:
            if event.candidate_index == candidate and event.text_delta:
                yield event.text_delta

    def collect(self) -> GenerateResult:
        """Reads the rest and returns the whole answer."""
        for _ in self:
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

    def close(self) -> None:
        """Cancels the answer if it has not ended; the gateway then ends it at the provider."""
        self._record.close()
        self._call.cancel()
