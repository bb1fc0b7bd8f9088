"""An event loop on a thread of its own: other threads wait for its work, other loops await it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Never, TypeAlias, TypeVar

from interlingua_gateway.core.clock import current_task
from interlingua_gateway.core.errors import InternalError, PolicyError, Reason

if sys.platform != "win32":
    from uvloop import new_event_loop as new_event_loop
else:
    from asyncio import new_event_loop as new_event_loop

T = TypeVar("T")
Work: TypeAlias = Coroutine[object, Never, T]


class LoopThread:
    """Runs until `stop`. The thread is a daemon: one that is forgotten keeps no interpreter alive.

    All methods may be called from any thread, `submit` and what builds on it also with an event
    loop running in that thread.
    """

    def __init__(self) -> None:
        self._loop = new_event_loop()
        self._running: set[asyncio.Task[object]] = set()
        self._closing = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="interlingua", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T]) -> Future[T]:
        """Begin `work`; cancelling the future cancels it.

        Raises:
            PolicyError: SHUTTING_DOWN, the loop is closed.
            InternalError: the process was forked from the one that the loop runs in.
        """
        try:
            with self._lock:
                if self._closing:
                    raise closed()
                if not self._thread.is_alive():
                    raise InternalError(
                        "The gateway was made before this process was forked. Make one in each "
                        "process."
                    )
                return asyncio.run_coroutine_threadsafe(self._owned(work), self._loop)
        except BaseException:
            work.close()
            raise

    def wait(self, work: Work[T]) -> T:
        """The result of `work`; blocks this thread.

        Raises:
            InternalError: called on the loop's own thread, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise InternalError(
                "This blocks, and it runs on the gateway's own loop: await the `_async` method."
            )
        future = self.submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def finish(self, work: Work[T]) -> T:
        """The result of `work`, on whatever loop this runs; cancelling this cancels it."""
        return await asyncio.wrap_future(self.submit(work))

    def stop(self, last: Work[None]) -> None:
        """End what runs with SHUTTING_DOWN, run `last`, and end the thread; once is enough.

        Raises:
            InternalError: called on the loop's own thread, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            last.close()
            raise InternalError("The gateway's own loop cannot close it: close it from elsewhere.")
        with self._lock:
            first, self._closing = not self._closing, True
        if not first or not self._thread.is_alive():
            last.close()
            self._thread.join()
            return
        try:
            asyncio.run_coroutine_threadsafe(self._end(last), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    async def _owned(self, work: Work[T]) -> T:
        task = current_task()
        self._running.add(task)
        try:
            return await work
        except asyncio.CancelledError:
            if self._closing:
                raise closed() from None
            raise
        finally:
            self._running.discard(task)

    async def _end(self, last: Work[None]) -> None:
        running = tuple(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await last

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            asyncio.set_event_loop(None)
            self._loop.close()


def closed() -> PolicyError:
    """The error of calls to a gateway that was closed."""
    return PolicyError(Reason.SHUTTING_DOWN, "This gateway was closed. Make another one.")
