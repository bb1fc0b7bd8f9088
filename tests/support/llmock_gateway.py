"""A gateway in front of llmock and of a raw upstream, by every kind of provider, for faults."""

from __future__ import annotations

import asyncio
import io
import logging
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import msgspec
import psutil

from interlingua.v1 import generate_pb2
from tests.support.failures import Failure, failure_of
from tests.support.gateway import UNFORGIVING, Running, running
from tests.support.requests import ask, embed
from tests.support.subjects import turn
from tests.support.upstream import Answer, Upstream, Visit
from tests.support.wires import ANTHROPIC, OPENAI, Wire

CANARIES = {
    "NATIVE_KEY": "sk-canary-native-5e81b7d2",
    "LITELLM_OPENAI_KEY": "sk-canary-litellm-90c3f6aa",
    "LITELLM_ANTHROPIC_KEY": "sk-ant-canary-1d7e44b8",
    "HEADER_SECRET": "canary-header-7b2f90ce",
}
PATIENT = {"first_token_s": 8.0, "stall_s": 8.0, "total_s": 8.0}
HASTY = {"first_token_s": 0.3, "stall_s": 0.3, "total_s": 0.3}
DEADLINE_S = 10.0
SETTLED_S = 5.0


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of provider, what it speaks, and how it is told from the others."""

    name: str
    kind: str
    model: str
    key: str
    llmock: str
    path: str
    wire: Wire


SUBJECTS = (
    Subject(
        name="native",
        kind="openai",
        model="gpt-4o",
        key="NATIVE_KEY",
        llmock="openai",
        path="/v1",
        wire=OPENAI,
    ),
    Subject(
        name="litellm-openai",
        kind="litellm",
        model="openai/gpt-4o",
        key="LITELLM_OPENAI_KEY",
        llmock="openai",
        path="/v1",
        wire=OPENAI,
    ),
    Subject(
        name="litellm-anthropic",
        kind="litellm",
        model="anthropic/claude-sonnet-4-20250514",
        key="LITELLM_ANTHROPIC_KEY",
        llmock="anthropic",
        path="",
        wire=ANTHROPIC,
    ),
)


class Raw(Upstream):
    """An upstream whose `answer` the tests change as they go. `answered` is set when it is done."""

    def __init__(self) -> None:
        super().__init__(self._now)
        self.answer: Answer | None = None
        self.answered = asyncio.Event()

    @property
    def tasks(self) -> int:
        """Tasks of this server: one for each connection."""
        return len(self._tasks)

    async def _now(self, visit: Visit) -> bool | None:
        assert self.answer is not None
        keep = await self.answer(visit)
        self.answered.set()
        return keep


class Outcome(msgspec.Struct):
    """How a call ended: its failure, or None, and the events that came before."""

    failure: Failure | None
    events: list[generate_pb2.StreamGenerateResponse]
    seen: str
    """Everything that reached the caller, as text."""


class Faulty:
    """A gateway with faulty upstreams; `alias` names a model of it."""

    def __init__(self, gateway: Running, llmock_port: int, raw: Raw, log: io.StringIO) -> None:
        self.gateway = gateway
        self.begun = asyncio.Event()
        """The caller has seen the first text of the call."""
        self._ports = (llmock_port, raw.port)
        self._raw = raw
        self._log = log

    async def call(self, alias: str, *, streaming: bool = False, vectors: bool = False) -> Outcome:
        """Ask `alias` for an answer, whole or streamed, or for embeddings."""
        events: list[generate_pb2.StreamGenerateResponse] = []
        request = ask("Say it", model=alias)
        self.begun.clear()
        try:
            if vectors:
                wanted = embed("Say it", model=alias)
                made = await self.gateway.calls.Embed(wanted, timeout=DEADLINE_S)
                return Outcome(None, events, str(made))
            if streaming:
                stream = self.gateway.calls.StreamGenerate(request, timeout=DEADLINE_S)
                async for event in stream:
                    events.append(event)
                    if event.text_delta:
                        self.begun.set()
                return Outcome(None, events, str(events))
            answer = await self.gateway.calls.Generate(request, timeout=DEADLINE_S)
            return Outcome(None, events, str(answer))
        except grpc.aio.AioRpcError as error:
            trailers = (*(error.trailing_metadata() or ()), *(error.initial_metadata() or ()))
            values = [v if isinstance(v, str) else v.decode("latin-1") for _, v in trailers]
            seen = "\n".join([str(events), error.details() or "", *values])
            return Outcome(failure_of(error), events, seen)

    @property
    def connections(self) -> int:
        """Connections of this process to the upstreams."""
        found = psutil.Process().net_connections("tcp")
        return sum(
            1
            for one in found
            if one.status == psutil.CONN_ESTABLISHED and one.raddr and one.raddr.port in self._ports
        )

    @property
    def tasks(self) -> int:
        """Tasks of the gateway, its server and its client, beside the one that asks."""
        return len(asyncio.all_tasks()) - 1 - self._raw.tasks

    async def settle(self, tasks: int) -> None:
        """Wait until no call is open and no more than `tasks` tasks are left."""
        async with asyncio.timeout(SETTLED_S):
            while self.gateway.in_flight or self.tasks > tasks:
                await turn()

    @property
    def logged(self) -> str:
        """Every log line so far."""
        return self._log.getvalue()

    async def metrics(self) -> str:
        """The whole text of /metrics."""
        http = self.gateway.built.http
        assert http is not None
        url = f"http://{http.address}/metrics"
        return await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())


def alias(subject: Subject, *, raw: bool = False, hasty: bool = False) -> str:
    """The model by which callers reach `subject` at llmock, or at the raw upstream."""
    return f"{subject.name}{'-raw' if raw else ''}{'-hasty' if hasty else ''}"


@asynccontextmanager
async def faulty(llmock_url: str, raw: Raw, directory: Path) -> AsyncIterator[Faulty]:
    """A gateway in front of llmock at `llmock_url` and of `raw`."""
    log = io.StringIO()
    tree = _tree(llmock_url, f"http://127.0.0.1:{raw.port}")
    async with running(tree, directory, environment=CANARIES) as gateway:
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(log)
        await gateway.built.tasks.joined()  # the library is loaded
        made = Faulty(gateway, int(llmock_url.rpartition(":")[2]), raw, log)
        for subject in SUBJECTS:
            assert (await made.call(alias(subject), streaming=False)).failure is None
        yield made
    assert made.connections == 0


def _tree(llmock_url: str, raw_url: str) -> dict[str, object]:
    bases = {"anthropic": "/anthropic", "openai": "/v1"}
    providers: dict[str, object] = {}
    models: list[object] = []
    for subject in SUBJECTS:
        for at_raw in (False, True):
            name = alias(subject, raw=at_raw)
            url = raw_url + subject.path if at_raw else llmock_url + bases[subject.llmock]
            providers[name] = {
                "kind": subject.kind,
                "base_url": url,
                "api_key": f"env:{subject.key}",
                "headers": {"x-house-token": "env:HEADER_SECRET"},
            }
            models += [
                {
                    "name": alias(subject, raw=at_raw, hasty=hasty),
                    "timeouts": HASTY if hasty else PATIENT,
                    "targets": [{"provider": name, "model": subject.model}],
                }
                for hasty in (False, True)
            ]
    return {
        "http": {"listen": "127.0.0.1:0"},
        "telemetry": {"log_format": "json", "log_level": "debug"},
        "routing": UNFORGIVING,
        "providers": providers,
        "models": models,
    }
