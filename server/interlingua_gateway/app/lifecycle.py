"""The life of the process: start, serve until told to stop, drain without cutting a call."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from interlingua_gateway.app.build import build
from interlingua_gateway.app.gateway import Gateway
from interlingua_gateway.app.reload import Read
from interlingua_gateway.config.environment import process_environment
from interlingua_gateway.config.tree import Config, DrainConfig
from interlingua_gateway.core.clock import Clock, SystemClock, Timeout
from interlingua_gateway.core.errors import GatewayError

OnEvent: TypeAlias = Callable[[str, Mapping[str, str]], None]

SWITCH_INTERVAL_S: Final = 0.0005
"""How long a thread that carries records into the database may keep the event loop from running;
Python's own 5 ms would be waited out at each of the four or five turns of the loop that a call
takes."""


log = logging.getLogger("interlingua.configuration")


class Stop:
    """The wish to stop. The first one drains; a second one ends the drain at once."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._urged = asyncio.Event()
        self.delay = True

    def ask(self, *, delay: bool) -> None:
        """Stop; with `delay` load balancers get time to notice."""
        if self._asked.is_set():
            self._urged.set()
        self.delay = delay
        self._asked.set()

    async def asked(self) -> None:
        """Wait for the first wish."""
        await self._asked.wait()

    @property
    def urgent(self) -> bool:
        """Whether there was a second wish."""
        return self._urged.is_set()

    async def urged(self) -> None:
        """Wait for the second wish."""
        await self._urged.wait()


async def serve(
    config: Config,
    *,
    on_event: OnEvent,
    read: Read | None = None,
    stop: Stop | None = None,
    clock: Clock | None = None,
) -> None:
    """Run a gateway until SIGTERM or SIGINT, drain it and return.

    SIGHUP makes it `read` its configuration again; without that it keeps the one it has.

    `on_event(name, facts)` tells what happens: loading, loaded, listening, http, ready, draining,
    failed.

    Raises:
        InternalError: the gateway cannot start; the message says why.
    """
    clock = clock or SystemClock()
    stop = stop or Stop()
    hung_up = asyncio.Event()
    _listen_to_signals(stop, hung_up)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    gateway = build(config, clock, process_environment(), read)
    try:
        await _start(gateway, on_event, stop)
        gateway.tasks.start(_reload_at(hung_up, gateway), "reload")
        await stop.asked()
        await drain(gateway, config.server.drain, stop, on_event, clock)
    finally:
        await gateway.aclose()


def _listen_to_signals(stop: Stop, hung_up: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    loop.add_signal_handler(signal.SIGTERM, partial(stop.ask, delay=True))
    loop.add_signal_handler(signal.SIGINT, partial(stop.ask, delay=False))


async def _reload_at(hung_up: asyncio.Event, gateway: Gateway) -> None:
    while True:
        await hung_up.wait()
        hung_up.clear()
        try:
            await gateway.reload(dry_run=False)
        except GatewayError:
            continue  # its log line says why
        except Exception:  # root of a task: the next signal is to be heard
            log.exception("configuration not reloaded")


async def _start(gateway: Gateway, on_event: OnEvent, stop: Stop) -> None:
    """Returns when all is ready, or before that when somebody wants it to stop."""
    gateway.start_models(on_event)
    await gateway.grpc.start()
    for address in gateway.grpc.addresses:
        on_event("listening", {"address": address})
    if gateway.http is not None:
        await gateway.http.start()
        on_event("http", {"address": gateway.http.address})
    loaded = gateway.tasks.start(gateway.prepared(), "prepared")
    asked = gateway.tasks.start(stop.asked(), "asked to stop")
    await asyncio.wait({loaded, asked}, return_when=asyncio.FIRST_COMPLETED)
    if not loaded.done():
        return
    await loaded
    await gateway.grpc.serving()
    gateway.ready = True
    # What exists now lives as long as the process: no collection need look at it again.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    on_event("ready", {})


async def drain(
    gateway: Gateway, limits: DrainConfig, stop: Stop, on_event: OnEvent, clock: Clock
) -> None:
    """Stop without cutting a call that was accepted.

    Health says NOT_SERVING; calls are still taken for `delay_s`; then new ones are refused and
    open ones may go on for `longest_generation_s`.
    """
    gateway.ready = False
    gateway.draining = True
    await gateway.grpc.not_serving()
    on_event("draining", {"calls": str(gateway.grpc.front.in_flight)})
    if stop.delay:
        await _until(stop.urged(), limits.delay_s, clock)
    gateway.grpc.front.refuse()
    await _either(gateway, stop, limits.longest_generation_s, clock)
    await gateway.grpc.stop(0 if stop.urgent else limits.grace_s)
    await gateway.ledger.finish()


async def _either(gateway: Gateway, stop: Stop, seconds: float, clock: Clock) -> None:
    """Wait until no call is open, somebody urges, or `seconds` are over."""
    drained = gateway.tasks.start(gateway.grpc.front.drained(), "drained")
    urged = gateway.tasks.start(stop.urged(), "urged")
    both = asyncio.wait({drained, urged}, return_when=asyncio.FIRST_COMPLETED)
    await _until(both, seconds, clock)


async def _until(done: Awaitable[object], seconds: float, clock: Clock) -> None:
    try:
        with Timeout(clock, clock.monotonic() + seconds):
            await done
    except TimeoutError:
        return
