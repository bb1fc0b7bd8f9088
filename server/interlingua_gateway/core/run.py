"""Runs one call through a handler under its deadline and settles it, however it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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
        return await _served(call, handler, consume, clock)
    except BaseException as error:
        failure = error
        raise
    finally:
        call.end(ending_of(failure, clock.monotonic() - call.started))


async def _served(
    call: Call, handler: Handler, consume: Callable[[Reply], Awaitable[T]], clock: Clock
) -> T:
    async def work() -> T:
        reply = await handler(call)
        try:
            return await consume(reply)
        finally:
            await reply.aclose()

    return await within_deadline(call, work(), clock)


async def within_deadline(call: Call, work: Awaitable[T], clock: Clock) -> T:
    """The result of `work`, which is cancelled when the deadline of `call` is spent.

    Raises:
        CallerError: DEADLINE_EXCEEDED, which names the phase that spent the deadline.
    """
    bound = Timeout(clock, call.deadline)
    try:
        with bound:
            return await work
    except TimeoutError as error:
        if not bound.fired:
            raise
        raise deadline_exceeded(call) from error


def deadline_exceeded(call: Call) -> CallerError:
    """The error for a call whose deadline is spent."""
    return CallerError(
        Reason.DEADLINE_EXCEEDED,
        f"The deadline was spent while the call was in phase `{call.phase}`. Allow more time, "
        "ask for fewer tokens, or choose a faster model.",
        metadata={"phase": str(call.phase)},
    )
