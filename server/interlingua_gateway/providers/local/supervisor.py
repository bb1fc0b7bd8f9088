"""Keeps the embedded model's process alive and says where it answers.

    Loading --> Ready --> Loading (it crashed and is being restarted) --> Ready ...
       |                     |
       +------> Failed <-----+     nothing more is tried

The process is a child with pipes: it ends with its parent, however the parent ends. POSIX only.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets  # noqa: TID251  (a key must not come from an injected, predictable source)
import signal
import sys
from collections import deque
from pathlib import Path

import msgspec

from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.core.errors import InternalError, Reason, UpstreamError
from interlingua_gateway.providers.local.orders import Orders, Report
from interlingua_gateway.providers.local.process import Process
from interlingua_gateway.providers.local.weights import Weights, find_weights, usable_threads

CHILD = Path(__file__).with_name("child.py")
MOST_CRASHES = 5
CRASH_WINDOW_S = 60.0
FIRST_BACKOFF_S = 0.1
GRACE_S = 2.0


class LocalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the embedded model runs. Token counts are per request.

    `weights` is a GGUF file, or None for the packaged model. A prompt and its answer share
    `context_tokens`; memory grows with `streams * context_tokens` (23 KB a token for the packaged
    model). `embedding_tokens` is the longest text that can be embedded, and the piece in which
    prompts are read: between two pieces other streams go on and a cancelled one stops.
    `max_output_tokens` holds where the request names no limit. `threads` None means the cores
    that this process may use, at most eight.
    """

    weights: Path | None = None
    streams: int = 4
    context_tokens: int = 2048
    embedding_tokens: int = 512
    max_output_tokens: int = 1024
    threads: int | None = None
    start_timeout_s: float = 120.0


class Endpoint(msgspec.Struct, frozen=True):
    """Where the model answers now: an OpenAI base URL and the bearer key of this process."""

    base_url: str
    api_key: str

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"


class Loading(msgspec.Struct, frozen=True):
    """The process is starting; `after` says why the one before it ended, empty at first."""

    after: str = ""


class Ready(msgspec.Struct, frozen=True):
    """The model answers at `endpoint`."""

    endpoint: Endpoint


class Failed(msgspec.Struct, frozen=True):
    """The model cannot run; `reason` tells the operator why and what to do."""

    reason: str


State = Loading | Ready | Failed


class Ending(msgspec.Struct, frozen=True):
    """Why a process is over; `final` where another start would end in the same way."""

    reason: str
    final: bool


class LocalModel:
    """The embedded model. `start()` begins, `ready()` waits, `aclose()` ends and reaps."""

    def __init__(self, settings: LocalSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._tasks = Tasks()
        self._process: Process | None = None
        self._state: State = Loading()
        self._changed = asyncio.Event()

    @property
    def state(self) -> State:
        return self._state

    @property
    def packaged(self) -> bool:
        """Whether the weights are those of the package, and not a file of the configuration."""
        return self._settings.weights is None

    @property
    def pid(self) -> int | None:
        """The process id of the model's process while there is one."""
        return None if self._process is None else self._process.pid

    async def next_state(self) -> State:
        """Wait for the next change of `state`."""
        await self._changed.wait()
        return self._state

    async def ready(self) -> Endpoint:
        """Where the model answers; waits while it is loading. A restart gives a new endpoint.

        Raises:
            UpstreamError: UPSTREAM_UNAVAILABLE, the model has failed for good or is closed.
        """
        while isinstance(self._state, Loading):
            await self.next_state()
        if isinstance(self._state, Failed):
            raise UpstreamError(
                Reason.UPSTREAM_UNAVAILABLE,
                "The embedded model is not running; `interlingua doctor` says why.",
            )
        return self._state.endpoint

    def start(self) -> None:
        """Begin to start the process and keep it alive; call it once."""
        self._supervision = self._tasks.start(self._supervise(), "local-model")

    async def aclose(self) -> None:
        """End the process (SIGTERM, after a grace of two seconds SIGKILL) and reap it."""
        await self._tasks.aclose()
        self._become(Failed("The embedded model was closed."))

    def _become(self, state: State) -> None:
        self._state = state
        self._changed.set()
        self._changed = asyncio.Event()

    async def _supervise(self) -> None:
        crashes: deque[float] = deque()
        while True:
            try:
                end = await self._run()
            except InternalError as error:
                end = Ending(error.message, final=True)
            except OSError as error:
                reason = f"The embedded model's process could not be started: {error.strerror}."
                end = Ending(reason, final=False)
            now = self._clock.monotonic()
            crashes.append(now)
            while crashes[0] < now - CRASH_WINDOW_S:
                crashes.popleft()
            if end.final or len(crashes) > MOST_CRASHES:
                self._become(Failed(end.reason))
                return
            self._become(Loading(after=end.reason))
            await self._clock.sleep(FIRST_BACKOFF_S * 2 ** (len(crashes) - 1))

    async def _run(self) -> Ending:
        """One life of the process, from its start to its end.

        Raises:
            InternalError: the weights or the runtime are missing.
            OSError: the system cannot start a process.
        """
        weights = find_weights(self._settings.weights)
        process = Process((sys.executable, "-P", str(CHILD)))
        self._process = process
        try:
            endpoint = await self._greet(process, weights)
            if endpoint is not None:
                self._become(Ready(endpoint))
            status = await process.wait()
            return ending(status, process.tail, weights, was_ready=endpoint is not None)
        except TimeoutError:
            limit_s = self._settings.start_timeout_s
            return Ending(f"The embedded model was not ready after {limit_s:g} s.", final=False)
        finally:
            self._process = None
            await process.aclose(self._clock, GRACE_S)

    async def _greet(self, process: Process, weights: Weights) -> Endpoint | None:
        """Send the orders and wait for the report; None if the process ends before it.

        Raises:
            TimeoutError: it neither reports nor ends in time.
        """
        settings = self._settings
        orders = Orders(
            weights=str(weights.path),
            alias=weights.alias,
            api_key=secrets.token_urlsafe(32),
            chat_template=weights.chat_template,
            streams=settings.streams,
            context_tokens=settings.context_tokens,
            embedding_tokens=min(settings.embedding_tokens, settings.context_tokens),
            max_output_tokens=settings.max_output_tokens,
            threads=settings.threads or usable_threads(),
            parent_pid=os.getpid(),
        )
        process.write(json.dumps(orders).encode() + b"\n")
        with Timeout(self._clock, self._clock.monotonic() + settings.start_timeout_s):
            line = await process.read_line()
        if not line:
            return None
        report: Report = json.loads(line)
        return Endpoint(base_url=f"{report['address']}/v1", api_key=orders["api_key"])


def ending(status: int, tail: bytes, weights: Weights, *, was_ready: bool) -> Ending:
    """Say why the process ended with `status`, having last written `tail`."""
    said = " ".join(tail.decode(errors="replace").split())[:1200]
    how = f"status {status}" if status >= 0 else signal.Signals(-status).name
    if was_ready:  # by now its words may repeat those of callers
        return Ending(f"The embedded model's process ended with {how}.", final=False)
    reason = f"The embedded model could not start from {weights.path} ({how}): {said}"
    if "libgomp" in said:
        reason = f"The embedded model needs libgomp (Debian, Ubuntu: libgomp1): {said}"
    return Ending(reason, final=status != -signal.SIGKILL)  # memory may be short but once
