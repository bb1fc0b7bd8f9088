"""What each policy costs a call, in microseconds of CPU: in one process, without a network.

Each subject is a handler under the same calls; its cost is what it takes beyond another subject,
in the same round: a bare handler that answers at once, or the whole stack with nothing configured.

Run: python bench/policies.py [--calls N] [--rounds N] [--only words]
Writes bench/results/policies.json and its table in docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from report import POLICIES, write_policies
from run import machine

from interlingua_gateway.app.answers import AnswerPolicies
from interlingua_gateway.app.budgets import BudgetPolicies, Budgets
from interlingua_gateway.app.database import Databases
from interlingua_gateway.app.identity import Callers, Identities
from interlingua_gateway.app.ledger import LedgerPolicies
from interlingua_gateway.app.limits import LimitPolicies
from interlingua_gateway.app.models import Catalogue
from interlingua_gateway.app.routing import Routing
from interlingua_gateway.app.stack import policies, stack
from interlingua_gateway.app.stores import Stores
from interlingua_gateway.config.load import load
from interlingua_gateway.core.call import Attempt, Call, Handler, Phase
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.events import (
    AnswerEvent,
    Batch,
    Finish,
    FinishReason,
    TextDelta,
    Usage,
    UsageUpdate,
    Vector,
)
from interlingua_gateway.core.ids import operation_id
from interlingua_gateway.core.ports import Policy
from interlingua_gateway.core.prices import Cost, Price
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.run import run
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import (
    EmbedInput,
    EmbedRequest,
    FormatKind,
    GenerateRequest,
    Message,
    Request,
    Role,
    Text,
)
from interlingua_gateway.core.wishes import CacheMode, Caching
from interlingua_gateway.core.wishes import Routing as Wishes
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.observe import Observe
from interlingua_gateway.providers.price_map import load as load_prices
from interlingua_gateway.route.breaker import Breaker, BreakerSettings
from interlingua_gateway.telemetry.metrics import Metrics
from interlingua_gateway.telemetry.upstream import UpstreamMetrics

CLOCK = SystemClock()
WORDS = 100
TARGET = Target(
    deployment="d0", provider="p", model="d0", label="d0", price=Price(input=1, output=2)
)
USED = (UsageUpdate(Usage(600, WORDS)), Finish(0, FinishReason.STOP))
WHOLE: Batch = (TextDelta(0, "word " * WORDS), *USED)
STREAM: tuple[AnswerEvent, ...] = (*(TextDelta(0, "word ") for _ in range(WORDS)), *USED)
CHOICE: Batch = (TextDelta(0, '{"route":"b"}'), *USED)
TOGETHER = 100

MESSAGES = tuple(
    Message(role=Role.USER, parts=(Text(text=f"{number} " * 50),)) for number in range(10)
)
ASKED = GenerateRequest(model="m", messages=MESSAGES)
EMBEDDED = EmbedRequest(model="m", inputs=(EmbedInput(text="some text to embed"),))


class Upstream:
    """A provider that costs next to nothing."""

    async def open(self, attempt: Attempt) -> Reply:
        attempt.phase = Phase.FIRST_TOKEN
        return answer(attempt.request, attempt.target.deployment, attempt.streaming)

    async def models(self) -> Sequence[str]:
        return ()

    async def aclose(self) -> None: ...


class Streamed:
    """A stream of which every event is a batch."""

    def __init__(self) -> None:
        self._rest = iter(STREAM[1:])

    async def next(self) -> Batch | None:
        event = next(self._rest, None)
        return None if event is None else (event,)

    async def aclose(self) -> None: ...


def answer(request: Request, deployment: str, streaming: bool) -> Reply:
    start = Start(deployment, "p", "m")
    if isinstance(request, EmbedRequest):
        return Reply(start, tuple(Vector(i, b"1234" * 64) for i in range(len(request.inputs))))
    form = request.response_format if isinstance(request, GenerateRequest) else None
    if form is not None and form.kind is FormatKind.JSON_SCHEMA:
        return Reply(start, CHOICE)
    return Reply(start, STREAM[:1], Streamed()) if streaming else Reply(start, WHOLE)


async def bare(call: Call) -> Reply:
    """Without any policy; it tells of itself what the routing and the accounting would."""
    call.target, call.usage, call.cost = TARGET, USED[0].usage, Cost(100)
    return answer(call.request, TARGET.deployment, call.streaming)


async def consume(reply: Reply) -> None:
    while await reply.next() is not None:
        pass


@dataclass(frozen=True)
class Subject:
    """A handler, the calls that it gets, one after the other or a hundred at once, and the title of
    the subject that its cost is told beyond."""

    title: str
    handler: Handler
    beyond: str = ""
    request: Request = ASKED
    fields: Mapping[str, Any] = field(default_factory=dict)
    together: bool = False
    shown: bool = True

    async def sweep(self, calls: int) -> float:
        """CPU microseconds a call of the event loop's thread: what a call waits for."""
        size = TOGETHER if self.together else 1
        began = time.thread_time()
        for _ in range(max(1, calls // size)):
            if self.together:
                await asyncio.gather(*(self._one() for _ in range(size)))
            else:
                await self._one()
        return (time.thread_time() - began) / (max(1, calls // size) * size) * 1e6

    async def _one(self) -> None:
        now = CLOCK.monotonic()
        call = Call(
            self.request,
            call_id=operation_id(CLOCK),
            method="Generate",
            started=now,
            deadline=now + 60,
            **self.fields,
        )
        await run(call, self.handler, consume, CLOCK)


class Bench:
    """Makes handlers as app/build.py does, and closes what they hold."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "gateway.yaml"
        self._prices = load_prices()
        self._open: list[Any] = []

    def whole(self, **tree: object) -> Handler:
        """The stack of a configuration over the provider that costs nothing."""
        everything, dispatch = self._parts(tree)
        return stack(everything, dispatch)

    def only(self, kind: str, **model: object) -> Handler:
        """The policies of that class name alone, of a model with these settings."""
        everything, _ = self._parts({"models": [{**MODEL, **model}]})
        return stack([p for p in everything if type(p).__name__ == kind], bare)

    def routing(self, **tree: object) -> Handler:
        """The routing alone."""
        return self._parts(tree)[1]

    def _parts(self, tree: Mapping[str, object]) -> tuple[tuple[Policy, ...], Handler]:
        data = str(self._file.parent / f"data-{len(self._open)}")
        fixed = {"providers": {"p": {"kind": "scripted"}}, "models": [MODEL], "data_dir": data}
        values = {**fixed, **tree}
        self._file.write_text(yaml.safe_dump(values))
        config = load(self._file, {}).config
        catalogue, metrics = Catalogue(config, self._prices), Metrics()
        stores = Stores(config, CLOCK)
        aliases = {model.name: model for model in catalogue.models}
        answers = AnswerPolicies(config, aliases, stores.blobs, CLOCK)
        routing = Routing(config.routing, catalogue, {}, UpstreamMetrics(metrics), CLOCK)
        limits = LimitPolicies(
            config,
            stores.counters,
            catalogue.targets,
            routing.planner.question_tokens,
            metrics,
            CLOCK,
        )
        databases = Databases(config)
        permit = Callers(config, Identities(config, databases, CLOCK), CLOCK).permit
        ledger = LedgerPolicies(config, databases, metrics, Redactor(()), CLOCK)
        ledger.journal.open()  # what carries the records on stands behind the calls
        prospect = routing.planner.prospect
        spending = Budgets(config, stores, databases, ledger, metrics, CLOCK)
        budgets = BudgetPolicies(config, spending, prospect)
        self._open += [limits, answers.tasks, stores, databases]
        dispatch = routing.dispatch(limits.around({"p": Upstream()}), stores.blobs)
        return policies(metrics, CLOCK, permit, ledger, limits, answers, budgets), dispatch

    async def aclose(self) -> None:
        for one in self._open:
            await one.aclose()


def targets(count: int) -> list[dict[str, object]]:
    price = {"input_usd_per_million": 1, "output_usd_per_million": 2}
    names = [f"d{number}" for number in range(count)]
    return [{"provider": "p", "model": n, "deployment": n, "price": price} for n in names]


MODEL = {"name": "m", "targets": targets(1)}
THREE = {"name": "m", "targets": targets(3)}
LIMITS = {
    "rules": [
        {"name": "all", "per": ["tenant"], "requests_per_minute": 2_000_000_000}
        | {"tokens_per_minute": 2_000_000_000, "concurrent_requests": 1_000_000}
    ]
}
BUDGETS = {
    "rules": [{"name": "all", "period": "day", "limit_usd": 9_000_000} | {"enforcement": "soft"}]
}
OF_UPSTREAM = {"rules": [{"name": "p", "per": ["provider"], "requests_per_minute": 2_000_000_000}]}
ROUTES = [{"name": name, "description": f"Calls of kind {name}.", "use": name} for name in "ab"]
CHOOSING = [
    {"name": "m", "classifier": {"model": "a", "default": "a", "routes": ROUTES}},
    *({"name": n, "targets": [{"provider": "p", "model": n}]} for n in "ab"),
]
RULES = {"rules": [{"use": "m", "tags": [f"t{number}"]} for number in range(3)]}
STRATEGIES = (
    "priority", "weighted", "round_robin", "least_in_flight", "lowest_latency", "lowest_cost",
)  # fmt: skip

BARE, NOTHING = "bare", "everything, with nothing configured"
STREAMED, EMBEDS = "bare, streamed", "bare, embeddings together"
TOGETHER_BARE, ALL_TOGETHER = "bare, together", "nothing configured, together"
ROUTED, STREAM_ALL = "routing to one target", "everything, a stream of 102 batches"


def always_on(bench: Bench) -> list[Subject]:
    """What no configuration takes away."""
    metrics = Metrics()
    stream = {"streaming": True}
    return [
        Subject(BARE, bare, shown=False),
        Subject(STREAMED, bare, fields=stream, shown=False),
        Subject(EMBEDS, bare, request=EMBEDDED, together=True, shown=False),
        Subject(TOGETHER_BARE, bare, together=True, shown=False),
        Subject(NOTHING, bench.whole(), BARE),
        Subject(STREAM_ALL, bench.whole(), STREAMED, fields=stream),
        Subject(ALL_TOGETHER, bench.whole(), TOGETHER_BARE, together=True, shown=False),
        Subject("observe", stack((Observe(metrics, CLOCK),), bare), BARE),
        Subject("account", stack((Account(),), bare), BARE),
        Subject("ledger, before its database", bench.only("Ledger"), BARE),
        Subject(ROUTED, bench.routing(), BARE),
    ]


def sharing(bench: Bench) -> list[Subject]:
    """What keeps and shares answers."""
    refresh, keyed = {"caching": Caching(mode=CacheMode.REFRESH)}, {"idempotency_key": "k"}
    cache, dedupe = bench.only("Cache", cache={}), bench.only("Dedupe", dedupe={})
    batches = bench.only("EmbedBatches", embed_batching={})
    return [
        Subject("cache: miss and write", cache, BARE, fields=refresh),
        Subject("cache: hit", cache, BARE),
        Subject("dedupe: leader", dedupe, BARE),
        Subject("dedupe: leader of a stream", dedupe, STREAMED, fields={"streaming": True}),
        Subject("dedupe: one of 100 callers", dedupe, TOGETHER_BARE, together=True),
        Subject("idempotency: answer kept", bench.only("Idempotency"), BARE, fields=keyed),
        Subject("embed batching: one of 100", batches, EMBEDS, request=EMBEDDED, together=True),
    ]


def limiting(bench: Bench, redis: str | None) -> list[Subject]:
    """Limits of requests, tokens and places, in memory and in Redis."""
    found = [
        Subject("budget in memory", bench.whole(budgets=BUDGETS), NOTHING),
        Subject("limits in memory", bench.whole(limits=LIMITS), NOTHING),
        Subject("limit of a provider", bench.whole(limits=OF_UPSTREAM), NOTHING),
    ]
    if redis is not None:
        shared = bench.whole(limits=LIMITS, redis={"url": redis})
        found += [
            Subject("limits in Redis: a lone call", shared, NOTHING),
            Subject("limits in Redis: one of 100 callers", shared, ALL_TOGETHER, together=True),
        ]
    return found


def routing(bench: Bench) -> list[Subject]:
    """The ways of the routing beyond one target."""
    refresh = {"caching": Caching(mode=CacheMode.REFRESH)}
    sticky = {"routing": Wishes(sticky_key="a caller")}
    choosing = bench.routing(models=CHOOSING)
    hedged = bench.routing(models=[{**THREE, "hedge": {"after_s": 30}}])
    ordered = {s: bench.routing(models=[{**THREE, "strategy": s}]) for s in STRATEGIES}
    return [
        *(Subject(f"{s}, three targets", handler, ROUTED) for s, handler in ordered.items()),
        Subject("sticky key", ordered["priority"], ROUTED, fields=sticky),
        Subject("three rules, none applies", bench.routing(routing=RULES), ROUTED),
        Subject("hedge configured", hedged, "priority, three targets"),
        Subject("classifier: choice kept", choosing, ROUTED),
        Subject("classifier: asked", choosing, ROUTED, fields=refresh),
    ]


def breaker_us(calls: int) -> float:
    """CPU microseconds of a circuit breaker for an attempt that succeeds."""
    breaker = Breaker(BreakerSettings())
    began = time.thread_time()
    for _ in range(calls):
        now = CLOCK.monotonic()
        if breaker.admits(now):
            breaker.succeeded(breaker.begin(now), now)
    return (time.thread_time() - began) / calls * 1e6


async def measure(subjects: Sequence[Subject], calls: int, rounds: int) -> list[dict[str, object]]:
    """Each subject in each round; the first round only warms up."""
    found: dict[str, list[float]] = {subject.title: [] for subject in subjects}
    alone: list[float] = []
    gc.collect()
    gc.freeze()
    for number in range(rounds + 1):
        for subject in subjects:
            streams = subject.fields.get("streaming", False)
            taken = await subject.sweep(calls // 10 if streams else calls)
            if number:
                found[subject.title].append(taken)
        if number:
            alone.append(breaker_us(calls))
    rows = [
        {"title": subject.title, "beyond": subject.beyond, "us": beyond(subject, found)}
        for subject in subjects
        if subject.shown
    ]
    part = {"title": "circuit breaker (part of the routing)", "beyond": "", "us": alone}
    return [*rows, part]


def beyond(subject: Subject, found: Mapping[str, list[float]]) -> list[float]:
    less = found[subject.beyond]
    return [round(us - base, 2) for us, base in zip(found[subject.title], less, strict=True)]


@contextmanager
def redis_server(directory: Path) -> Iterator[str | None]:
    """The URL of a redis-server that keeps nothing, or None where there is none installed."""
    binary = shutil.which("redis-server")
    if binary is None:
        yield None
        return
    socket = directory / "redis.sock"
    command = [binary, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=directory)
    try:
        while not socket.exists():
            time.sleep(0.05)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(10)


async def main(calls: int, rounds: int, only: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bench = Bench(directory)
        with redis_server(directory) as redis:
            subjects = [
                *always_on(bench),
                *sharing(bench),
                *limiting(bench, redis),
                *routing(bench),
            ]
            needed = {s.beyond for s in subjects if only in s.title} | {BARE}
            subjects = [s for s in subjects if only in s.title or s.title in needed | {NOTHING}]
            rows = await measure(subjects, calls, rounds)
            await bench.aclose()
    for row in rows:
        print(f"{row['title']:40} {sorted(row['us'])[rounds // 2]:8.1f}")
    if not only:
        told = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "rounds": rounds}
        POLICIES.write_text(json.dumps({**told, "calls": calls, "rows": rows}, indent=1) + "\n")
        write_policies()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    asyncio.run(main(given.calls, given.rounds, given.only))
