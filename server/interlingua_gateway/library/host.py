"""The gateway's core, running on a thread of its own; it ends when nobody holds it any more."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from interlingua_gateway.app.embedded import Embedded
from interlingua_gateway.config.environment import process_environment
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Clock, SystemClock
from interlingua_gateway.library.calls import Calls
from interlingua_gateway.library.loop import LoopThread, Work

T = TypeVar("T")

LONGEST_END_S: Final = 15.0
"""How long the interpreter's end waits for a gateway that was not closed."""

log = logging.getLogger("interlingua.library")


class Host:
    """What a Gateway, its streams and its views hold in common.

    `engine` and `calls` are to be used on the loop alone, except for what only reads what never
    changes.
    """

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        """Start it.

        Raises:
            InternalError: the configuration cannot be used; the message says why.
        """
        self.config = config
        self.clock = clock or SystemClock()
        self.loop = LoopThread()
        try:
            self.engine, self.calls = self.loop.wait(_start(config, self.clock))
        except BaseException:
            self.loop.stop(_nothing())
            raise
        weakref.finalize(self, _close_soon, self.loop, self.engine).atexit = False
        _close_at_exit(weakref.WeakMethod(self.close))

    def wait(self, work: Work[T]) -> T:
        """See LoopThread."""
        return self.loop.wait(work)

    async def finish(self, work: Work[T]) -> T:
        """See LoopThread."""
        return await self.loop.finish(work)

    def call(self, function: Callable[[], T]) -> T:
        """What `function` gives on the loop; blocks."""
        return self.loop.wait(_called(function))

    async def call_async(self, function: Callable[[], T]) -> T:
        """The same, awaited."""
        return await self.loop.finish(_called(function))

    def close(self) -> None:
        """End calls, connections and tasks; bring the ledger's records into the database."""
        self.loop.stop(_end(self.engine))


async def _start(config: Config, clock: Clock) -> tuple[Embedded, Calls]:
    config.data_dir.mkdir(parents=True, exist_ok=True)
    engine = Embedded(config, clock, process_environment())
    try:
        engine.start_models(_told)
    except BaseException:
        await engine.aclose()
        raise
    prepared = engine.tasks.start(engine.prepared(), "prepared")

    async def ready() -> None:
        await asyncio.shield(prepared)

    return engine, Calls(engine, ready, clock)


def _told(event: str, facts: Mapping[str, str]) -> None:
    """An embedded model is loading, loaded, or has failed for good."""
    level = logging.WARNING if event == "failed" else logging.DEBUG
    log.log(level, "embedded model", extra={"fields": {"event": event, **facts}})


async def _end(engine: Embedded) -> None:
    await engine.ledger.finish()
    await engine.aclose()


async def _called(function: Callable[[], T]) -> T:
    return function()


async def _nothing() -> None:
    pass


def _close_soon(loop: LoopThread, engine: Embedded) -> None:
    """From whatever thread collects garbage, which may be the loop's own."""
    threading.Thread(target=loop.stop, args=(_end(engine),), daemon=True).start()


def _close_at_exit(close: weakref.WeakMethod[Callable[[], None]]) -> None:
    """Before the interpreter ends its executors, which the ledger needs for its last records; what
    is registered with atexit comes after that. `threading` has that hook for executors alone, so
    that it may be missing: then the thread is a daemon, and the records lie in the spool."""
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        with suppress(RuntimeError):  # the end has begun already
            register(_close_last, close)


def _close_last(close: weakref.WeakMethod[Callable[[], None]]) -> None:
    work = close()
    if work is not None:
        closing = threading.Thread(target=work, daemon=True)
        closing.start()
        closing.join(LONGEST_END_S)
