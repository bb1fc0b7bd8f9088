"""The outermost turn of every business call: admission, who calls, errors, server metrics.

It takes and gives bytes, so that malformed requests are answered like any other wrong request, and
wraps methods at registration, which costs a tenth of what an interceptor does.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import grpc
import msgspec

from interlingua_gateway.core.clock import Clock, current_task
from interlingua_gateway.core.errors import (
    GatewayError,
    InternalError,
    PolicyError,
    Reason,
    UpstreamError,
    Violation,
)
from interlingua_gateway.core.identity import Authenticator, Scope
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.telemetry.metrics import Metrics, RpcMetrics
from interlingua_gateway.wire.grpc.exchange import (
    Context,
    Exchange,
    StreamMethod,
    UnaryMethod,
)
from interlingua_gateway.wire.grpc.status import CODES, to_status, trailers

log = logging.getLogger("interlingua.front")

T = TypeVar("T")

TRACEBACK_LIMIT: Final = 8000
OVERLOAD_RETRY_S: Final = 1.0

CODE_NAMES: Final = {
    code: "".join(word.title() for word in code.name.split("_")) for code in grpc.StatusCode
} | {grpc.StatusCode.OK: "OK", grpc.StatusCode.CANCELLED: "Canceled"}


class CallerLeft(Exception):
    """gRPC could not hand a message to the caller: the connection or the call is gone."""


class FrontOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of the front; `default_deadline_s` is for calls that come without a deadline."""

    max_concurrent_calls: int = 1000
    default_deadline_s: float | None = 600.0


class Front:
    """Wraps business methods into gRPC handlers and counts the calls in flight.

    A method runs only when `authenticate` knows its caller and allows the method's scope.
    """

    def __init__(
        self,
        options: FrontOptions,
        authenticate: Authenticator,
        metrics: Metrics,
        redact: Redactor,
        clock: Clock,
    ) -> None:
        self._options = options
        self._authenticate = authenticate
        self._metrics = metrics
        self._redact = redact
        self._clock = clock
        self._in_flight = 0
        self._refusing = False
        self._idle = asyncio.Event()
        self._idle.set()
        metrics.in_flight.set_function(lambda: self._in_flight)

    def unary(
        self,
        service: str,
        name: str,
        method: UnaryMethod,
        scope: Scope | None,
        *,
        admission: bool = True,
    ) -> grpc.RpcMethodHandler[bytes, bytes]:
        """The handler of a method with one response, which needs `scope` (None: nothing); without
        `admission` it is not refused when the gateway has too much to do."""
        rpc = self._metrics.rpc("unary", service, name)

        async def handle(data: bytes, context: Context) -> bytes:
            exchange = self._exchange(name, context)

            async def serve() -> bytes:
                if admission:
                    self._admit()
                exchange.identity = await self._authenticate(exchange, scope)
                answer = await method(data, exchange)
                rpc.sent.inc()
                return answer

            return await self._serve(serve, exchange, context, rpc, scope)

        return grpc.unary_unary_rpc_method_handler(handle)

    def stream(
        self, service: str, name: str, method: StreamMethod, scope: Scope
    ) -> grpc.RpcMethodHandler[bytes, bytes]:
        """The handler of a method with a stream of responses, which needs `scope`."""
        rpc = self._metrics.rpc("server_stream", service, name)

        async def handle(data: bytes, context: Context) -> None:
            exchange = self._exchange(name, context)

            async def write(message: bytes) -> None:
                try:
                    await context.write(message)
                except Exception as error:
                    raise CallerLeft from error
                rpc.sent.inc()

            async def serve() -> None:
                self._admit()
                exchange.identity = await self._authenticate(exchange, scope)
                await method(data, exchange, write)

            await self._serve(serve, exchange, context, rpc, scope)

        return grpc.unary_stream_rpc_method_handler(handle)

    async def drained(self) -> None:
        """Wait until no call is in flight."""
        await self._idle.wait()

    def refuse(self) -> None:
        """From now on new calls get SHUTTING_DOWN; those in flight go on."""
        self._refusing = True

    @property
    def in_flight(self) -> int:
        """Calls that are being served now."""
        return self._in_flight

    def _exchange(self, name: str, context: Context) -> Exchange:
        return Exchange(name, context, self._clock, self._options.default_deadline_s)

    async def _serve(
        self,
        serve: Callable[[], Awaitable[T]],
        exchange: Exchange,
        context: Context,
        rpc: RpcMetrics,
        scope: Scope | None,
    ) -> T:
        rpc.begun()
        code = grpc.StatusCode.OK
        self._enter()
        try:
            return await serve()
        except BaseException as error:
            failure = self.failure(error, exchange.id)
            if failure is None:
                code = grpc.StatusCode.CANCELLED
                raise asyncio.CancelledError from error
            code = CODES[failure.reason]
            status = to_status(failure, exchange.id)
            await context.abort(code, status.message, trailers(failure.reason, status))
            raise AssertionError("abort always raises") from error
        finally:
            self._leave()
            if scope is Scope.ADMIN and exchange.identity.is_admin:
                self._acted(exchange, CODE_NAMES[code])
            rpc.handled(CODE_NAMES[code], self._clock.monotonic() - exchange.started)

    def _acted(self, exchange: Exchange, code: str) -> None:
        facts = {"subject": exchange.subject, "code": code}
        self._authenticate.acted(exchange, exchange.identity, facts)

    def _admit(self) -> None:
        limit = self._options.max_concurrent_calls
        if self._refusing:
            raise PolicyError(
                Reason.SHUTTING_DOWN,
                "This gateway is about to stop. Send the call again.",
                retry_after_s=OVERLOAD_RETRY_S,
            )
        if self._in_flight > limit:
            raise PolicyError(
                Reason.OVERLOADED,
                f"This gateway already serves {limit} calls. Send the call again a little later.",
                retry_after_s=OVERLOAD_RETRY_S,
                violations=(Violation("max_concurrent_calls", f"at most {limit} at once"),),
                metadata={"max_concurrent_calls": str(limit)},
            )

    def _enter(self) -> None:
        self._in_flight += 1
        self._idle.clear()

    def _leave(self) -> None:
        self._in_flight -= 1
        if self._in_flight == 0:
            self._idle.set()

    def failure(self, error: BaseException, call_id: str) -> GatewayError | None:
        """What the caller is told, or None if there is no caller any more.

        What the caller learns nothing of is logged under the operation id.
        """
        if isinstance(error, CallerLeft):
            return None
        if isinstance(error, asyncio.CancelledError):
            if current_task().cancelling():
                return None
            self._log(error, call_id)
            return UpstreamError(
                Reason.UPSTREAM_UNAVAILABLE, "The call was interrupted inside the gateway."
            )
        if isinstance(error, GatewayError):
            if CODES[error.reason] is grpc.StatusCode.INTERNAL:
                self._log(error, call_id)
            return error
        if not isinstance(error, Exception):
            raise error
        self._log(error, call_id)
        return InternalError("unexpected exception")

    def _log(self, error: BaseException, call_id: str) -> None:
        text = "".join(traceback.format_exception(error))
        # The end of a traceback says what happened.
        told = self._redact(text, 4 * len(text))[-TRACEBACK_LIMIT:]
        log.error(
            "call failed inside the gateway",
            extra={"fields": {"operation_id": call_id, "error": told}},
        )
