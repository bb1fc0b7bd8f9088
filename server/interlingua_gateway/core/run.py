"""Runs one call through a handler under its deadline and settles it, however it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar

from interlingua_gateway.core.call import Call, Handler, ending_of
from interlingua_gateway.core.clock import Clock, Timeout
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.reply import Reply

T = TypeVar("T")


async def run(
    call: Call, handler: Handler, consume: Callable[[Reply], Awaitable[T]], clock: Clock
) -> T:
    """What `consume` makes of the reply of `handler` to `call`.

    The reply is closed and `call.end` has run when this returns or raises.

    Raises:
        GatewayError: the call failed; DEADLINE_EXCEEDED names the phase that spent the deadline.
        asyncio.CancelledError: the caller cancelled.
    """
    failure: BaseException | None = None
    try:
        with WithinDeadline(call, clock):
            reply = await handler(call)
            try:
                return await consume(reply)
            finally:
                await reply.aclose()
    except BaseException as error:
        failure = error
        raise
    finally:
        call.end(ending_of(failure, clock.monotonic() - call.started))


class WithinDeadline(Timeout):
    """`with WithinDeadline(call, clock):` cancels what is inside when the call's deadline is spent.

    It then raises CallerError: DEADLINE_EXCEEDED, which names the phase that spent the deadline.
    """

    __slots__ = ("_call",)

    def __init__(self, call: Call, clock: Clock) -> None:
        super().__init__(clock, call.deadline)
        self._call = call

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, traceback)
        except TimeoutError as spent:
            raise deadline_exceeded(self._call) from spent


def deadline_exceeded(call: Call) -> CallerError:
    """The error for a call whose deadline is spent."""
    return CallerError(
        Reason.DEADLINE_EXCEEDED,
        f"The deadline was spent while the call was in phase `{call.phase}`. Allow more time, "
        "ask for fewer tokens, or choose a faster model.",
        metadata={"phase": str(call.phase)},
    )
