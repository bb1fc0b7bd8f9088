"""A streamed answer in the program: for blocking readers, for asyncio, and as plain text."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from interlingua_gateway.core.errors import CallerError, GatewayError, Reason
from interlingua_gateway.core.events import AnswerEvent, TextDelta
from interlingua_gateway.library.host import Host
from interlingua_gateway.library.pipe import Pipe
from interlingua_gateway.library.results import GenerateResult


class Reader:
    """Reads a pipe, from any thread or loop. One that is dropped cancels the answer."""

    __slots__ = ("__weakref__", "_events", "_failure", "_host", "_pipe", "_work")

    def __init__(self, host: Host, pipe: Pipe, work: Future[None]) -> None:
        self._host = host
        self._pipe = pipe
        self._work = work
        self._events: deque[AnswerEvent] = deque()
        self._failure: GatewayError | None = None

    def __del__(self) -> None:
        self._work.cancel()

    def next(self) -> AnswerEvent | None:
        """The next event, None at the true end; blocks."""
        self._raise_if_failed()
        if not self._events:
            try:
                self._events.extend(self._host.wait(self._pipe.take()))
            except GatewayError as error:
                self._failure = error
                raise
        return self._events.popleft() if self._events else None

    async def anext(self) -> AnswerEvent | None:
        """The next event, None at the true end."""
        self._raise_if_failed()
        if not self._events:
            try:
                self._events.extend(await self._host.finish(self._pipe.take()))
            except GatewayError as error:
                self._failure = error
                raise
            except asyncio.CancelledError:
                self.close()
                raise
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """Cancel the answer if it has not ended."""
        self._work.cancel()
        if self._pipe.result is None and self._failure is None:
            text = "The stream was closed before its end."
            self._failure = CallerError(Reason.CANCELLED, text)

    @property
    def response(self) -> GenerateResult:
        """The whole answer.

        Raises:
            GatewayError: what the stream failed of.
            CallerError: INVALID_REQUEST, the stream goes on.
        """
        self._raise_if_failed()
        if self._pipe.result is None or self._events:
            text = "The stream goes on: read it to its end first."
            raise CallerError(Reason.INVALID_REQUEST, text)
        return self._pipe.result

    def _raise_if_failed(self) -> None:
        if self._failure is not None:
            raise self._failure


class Stream(Iterator[AnswerEvent]):
    """The events of an answer as they come.

    Iteration ends quietly only after the whole answer; otherwise it raises what went wrong, again
    at every further try. Leaving the `with` block, `close`, and dropping the stream cancel what has
    not ended.
    """

    __slots__ = ("_reader",)

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __next__(self) -> AnswerEvent:
        event = self._reader.next()
        if event is None:
            raise StopIteration
        return event

    def text_deltas(self, candidate: int = 0) -> TextStream:
        """The text of one candidate as it comes; skips every other event."""
        return TextStream(self._reader, candidate)

    def collect(self) -> GenerateResult:
        """Reads the rest and returns the whole answer."""
        for _ in self:
            pass
        return self.response

    @property
    def response(self) -> GenerateResult:
        """The whole answer, after its end. Raises what the stream failed of."""
        return self._reader.response

    def close(self) -> None:
        """Cancels the answer if it has not ended, at the provider too."""
        self._reader.close()


class AsyncStream(AsyncIterator[AnswerEvent]):
    """The same for asyncio; cancelling the task that waits for an event cancels the answer too."""

    __slots__ = ("_reader",)

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def __anext__(self) -> AnswerEvent:
        event = await self._reader.anext()
        if event is None:
            raise StopAsyncIteration
        return event

    def text_deltas(self, candidate: int = 0) -> TextStream:
        """The text of one candidate as it comes; skips every other event."""
        return TextStream(self._reader, candidate)

    async def collect(self) -> GenerateResult:
        """Reads the rest and returns the whole answer."""
        async for _ in self:
            pass
        return self.response

    @property
    def response(self) -> GenerateResult:
        """The whole answer, after its end. Raises what the stream failed of."""
        return self._reader.response

    async def aclose(self) -> None:
        """Cancels the answer if it has not ended, at the provider too."""
        self._reader.close()


class TextStream(Iterator[str], AsyncIterator[str]):
    """The text of an answer as it comes, for `for` and for `async for`.

    Ends quietly only if the answer is whole. Closing or dropping it cancels the answer.
    """

    __slots__ = ("_candidate", "_reader")

    def __init__(self, reader: Reader, candidate: int = 0) -> None:
        self._reader = reader
        self._candidate = candidate

    def __next__(self) -> str:
        while (event := self._reader.next()) is not None:
            if text := self._text(event):
                return text
        raise StopIteration

    async def __anext__(self) -> str:
        while (event := await self._reader.anext()) is not None:
            if text := self._text(event):
                return text
        raise StopAsyncIteration

    def close(self) -> None:
        """Cancels the answer if it has not ended, at the provider too."""
        self._reader.close()

    async def aclose(self) -> None:
        """The same."""
        self._reader.close()

    def _text(self, event: AnswerEvent) -> str:
        if isinstance(event, TextDelta) and event.index == self._candidate:
            return event.text
        return ""
