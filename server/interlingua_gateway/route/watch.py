"""Watches an open answer: bounds the silence between its events and records how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from interlingua_gateway.core.clock import Clock, Timer, current_task
from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError
from interlingua_gateway.core.events import Batch
from interlingua_gateway.core.reply import Source

Ended: TypeAlias = Callable[[BaseException | None], None]


class Watched:
    """A source that fails with UPSTREAM_TIMEOUT after `stall_s` without an event, or at `until`.

    `ended` is called once: with None at the true end, else with the error or, where the reader
    left before the end, with a CancelledError. One timer serves the whole answer: it is set anew
    only when it fires early, so a batch costs two clock readings.
    """

    __slots__ = (
        "_armed", "_clock", "_due", "_ended", "_fired", "_source", "_stall_s", "_task", "_timer",
        "_until",
    )  # fmt: skip

    def __init__(
        self, source: Source, clock: Clock, stall_s: float, until: float, ended: Ended
    ) -> None:
        self._source = source
        self._clock = clock
        self._stall_s = stall_s
        self._until = until
        self._ended: Ended | None = ended
        self._timer: Timer | None = None
        self._task: asyncio.Task[object] | None = None
        self._armed = self._fired = False
        self._due = 0.0

    async def next(self) -> Batch | None:
        """The next batch, or None at the true end.

        Raises:
            UpstreamError: STREAM_BROKEN; its metadata's `cause` says why.
        """
        task = self._task = current_task()
        cancelling = task.cancelling()
        self._due = min(self._clock.monotonic() + self._stall_s, self._until)
        self._armed = True
        if self._timer is None:
            self._timer = self._clock.call_at(self._due, self._fire)
        try:
            batch = await self._source.next()
        except BaseException as error:
            stalled = self._fired and task.uncancel() <= cancelling
            if stalled and isinstance(error, asyncio.CancelledError):
                raise self._break(Reason.UPSTREAM_TIMEOUT, error) from error
            if isinstance(error, GatewayError):
                raise self._break(error.reason, error) from error
            self._finish(error)
            raise
        finally:
            self._armed = False
        if batch is None:
            self._finish(None)
        return batch

    def _fire(self) -> None:
        self._timer = None
        if not self._armed:
            return
        if self._clock.monotonic() < self._due:
            self._timer = self._clock.call_at(self._due, self._fire)
            return
        self._fired = True
        if self._task is not None:
            self._task.cancel()

    def _break(self, cause: Reason, error: BaseException) -> UpstreamError:
        broken = UpstreamError(
            Reason.STREAM_BROKEN,
            "The answer broke off after its first event: the provider "
            f"{_CAUSES.get(cause, 'failed')}. What was sent is valid but not whole.",
            retry_after_s=error.retry_after_s if isinstance(error, GatewayError) else None,
            metadata={"cause": str(cause)},
        )
        self._finish(broken)
        return broken

    def _finish(self, error: BaseException | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(error)

    async def aclose(self) -> None:
        """End the upstream; an answer that was not read to its end counts as cancelled."""
        self._finish(asyncio.CancelledError())
        await self._source.aclose()


_CAUSES = {
    Reason.UPSTREAM_TIMEOUT: "fell silent",
    Reason.UPSTREAM_UNAVAILABLE: "closed the connection or reported a fault",
    Reason.UPSTREAM_INVALID_RESPONSE: "sent something that is no answer, or ended without a finish",
    Reason.UPSTREAM_RATE_LIMITED: "limited the gateway's rate",
}
