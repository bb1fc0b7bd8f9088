"""A provider that speaks a dialect over a transport."""

from __future__ import annotations

from collections.abc import Sequence

from interlingua_gateway.core.call import Attempt, Phase
from interlingua_gateway.core.errors import InternalError, Reason, UpstreamError
from interlingua_gateway.core.events import AnswerEvent, Batch, TokenCount
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.target import Timeouts
from interlingua_gateway.core.types import CountRequest
from interlingua_gateway.providers.dialect import Decoder, Dialect
from interlingua_gateway.providers.transport.errors import (
    BodyTooLarge,
    ConnectTimedOut,
    MalformedResponse,
    NoFreeConnection,
    TransportError,
    UnsendableRequest,
)
from interlingua_gateway.providers.transport.messages import (
    HttpRequest,
    HttpResponse,
    Transport,
    read_whole,
)

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_FAILURE_BYTES = 1024 * 1024


class HttpProvider:
    """Implements core.ports.Provider; owns its transport.

    Connecting is bounded by the target's `connect_s`; every other bound in time is dispatch's,
    which cancels. Texts of the transport pass the redactor.
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        transport: Transport,
        *,
        redactor: Redactor,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self.name = name
        self._dialect = dialect
        self._transport = transport
        self._redactor = redactor
        self._max_body_bytes = max_body_bytes

    @property
    def open_connections(self) -> int:
        """Connections to the upstream that are being made, in use or idle."""
        return self._transport.open_connections

    async def open(self, attempt: Attempt) -> Reply:
        """Send the request and wait for the first event; see core.ports.Provider."""
        if isinstance(attempt.request, CountRequest):
            return self._reply(attempt, (await self._count(attempt),))
        response = await self._send(self._dialect.request(attempt), attempt)
        try:
            kind = await self._accept(response, attempt)
            if kind == "stream":
                return await self._stream(response, attempt)
            whole = self._dialect.whole(attempt, await self._whole(response))
        except BaseException:
            response.close()
            raise
        return self._reply(attempt, whole.events, whole.upstream_model, whole.upstream_id)

    async def models(self) -> Sequence[str]:
        """The upstream's own names of its models; empty if it has no such list."""
        request = self._dialect.models_request()
        if request is None:
            return ()
        return self._dialect.models(await self._fetch(request, None))

    async def aclose(self) -> None:
        """Close every connection; open replies break off."""
        await self._transport.aclose()

    async def _stream(self, response: HttpResponse, attempt: Attempt) -> Reply:
        decoder = self._dialect.decoder(attempt)
        source = _Stream(response, decoder, self)
        first = await source.next()
        if first is None:
            raise UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, "The provider's answer is empty.")
        following = None if source.ended else source
        return self._reply(
            attempt, first, decoder.upstream_model, decoder.upstream_id, source=following
        )

    async def _count(self, attempt: Attempt) -> TokenCount:
        steps = self._dialect.count(attempt)
        if isinstance(steps, TokenCount):
            return steps
        try:
            request = next(steps)
            while True:
                request = steps.send(await self._fetch(request, attempt))
        except StopIteration as end:
            count: TokenCount = end.value
            return count
        finally:
            steps.close()

    async def _fetch(self, request: HttpRequest, attempt: Attempt | None) -> bytes:
        """The whole JSON body of the answer to `request`."""
        response = await self._send(request, attempt)
        try:
            await self._accept(response, attempt)
            return await self._whole(response)
        except BaseException:
            response.close()
            raise

    async def _send(self, request: HttpRequest, attempt: Attempt | None) -> HttpResponse:
        def sent() -> None:
            if attempt is not None:
                attempt.phase = Phase.FIRST_TOKEN

        timeouts = attempt.target.timeouts if attempt is not None else Timeouts()
        try:
            return await self._transport.send(
                request, connect_timeout_s=timeouts.connect_s, on_sent=sent
            )
        except TransportError as error:
            raise self.broken(error) from error

    async def _accept(self, response: HttpResponse, attempt: Attempt | None) -> str:
        """Whether the body is a `stream` or `whole`; a response that is neither is raised."""
        if response.status != 200:
            try:
                body = await read_whole(response, MAX_FAILURE_BYTES)
            except TransportError:
                body = b""
            raise self._dialect.failure(attempt, response.status, response.header, body)
        encoding = response.header("content-encoding")
        if encoding not in ("", "identity"):
            raise _unexpected("a content encoding that it was asked not to use", encoding)
        content_type = response.header("content-type").partition(";")[0].strip().lower()
        streaming = attempt is not None and attempt.streaming
        if content_type == "text/event-stream" and streaming:
            return "stream"
        if content_type == "application/json" or content_type.endswith("+json"):
            return "whole"
        if not content_type:
            return "stream" if streaming else "whole"
        raise _unexpected("a content type that is none of its answers'", content_type)

    async def _whole(self, response: HttpResponse) -> bytes:
        try:
            return await read_whole(response, self._max_body_bytes)
        except TransportError as error:
            raise self.broken(error) from error

    def broken(self, error: TransportError) -> UpstreamError | InternalError:
        """What a failure of the transport means."""
        text = self._redactor(str(error))
        if isinstance(error, UnsendableRequest):
            return InternalError(f"Provider {self.name}: {text}.")
        if isinstance(error, ConnectTimedOut):
            return UpstreamError(Reason.UPSTREAM_TIMEOUT, f"Provider {self.name}: {text}.")
        if isinstance(error, MalformedResponse | BodyTooLarge):
            reason = Reason.UPSTREAM_INVALID_RESPONSE
            return UpstreamError(reason, f"Provider {self.name}: {text}.")
        retry_after_s = 1.0 if isinstance(error, NoFreeConnection) else None
        return UpstreamError(
            Reason.UPSTREAM_UNAVAILABLE,
            f"Provider {self.name}: {text}.",
            retry_after_s=retry_after_s,
        )

    def _reply(
        self,
        attempt: Attempt,
        first: Batch,
        upstream_model: str = "",
        upstream_id: str = "",
        *,
        source: _Stream | None = None,
    ) -> Reply:
        target = attempt.target
        start = Start(
            deployment=target.deployment,
            provider=target.provider,
            model=target.model,
            upstream_model=upstream_model,
            upstream_id=upstream_id,
        )
        return Reply(start, first, source)


class _Stream:
    """The batches of one streamed answer, one for each read that completes an event."""

    __slots__ = ("_decoder", "_provider", "_response", "ended")

    def __init__(self, response: HttpResponse, decoder: Decoder, provider: HttpProvider) -> None:
        self._response = response
        self._decoder = decoder
        self._provider = provider
        self.ended = False

    async def next(self) -> Batch | None:
        """The next batch, never empty, or None at the true end; see core.reply.Source."""
        try:
            while not self.ended:
                data = await self._response.read()
                batch = self._decoder.feed(data) if data else self._end()
                if self._decoder.done and not self.ended:
                    batch += self._end()
                if batch:
                    return batch
        except TransportError as error:
            self._response.close()
            raise self._provider.broken(error) from error
        except BaseException:
            self._response.close()
            raise
        return None

    def _end(self) -> list[AnswerEvent]:
        last = self._decoder.end()
        self.ended = True
        self._response.finish()
        return last

    async def aclose(self) -> None:
        """Close the connection unless the answer has been read to its end."""
        self.ended = True
        self._response.close()


def _unexpected(what: str, word: str) -> UpstreamError:
    shown = word if word.isascii() and word.isprintable() and len(word) < 80 else "?"
    return UpstreamError(
        Reason.UPSTREAM_INVALID_RESPONSE, f"The provider answered with {what}: {shown}."
    )
