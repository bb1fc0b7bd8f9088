"""Gateway processes on one real Redis under 200 callers: what the limits promise, exactly."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import pytest
import yaml
from google.rpc import error_details_pb2, status_pb2
from redis.asyncio import Redis

from interlingua.v1 import gateway_service_pb2_grpc, generate_pb2
from tests.house.tree import ROOT
from tests.support.redis_server import RedisServer, redis_server
from tests.support.requests import ask

PROCESSES = 4
CALLERS = 200
REQUESTS_A_MINUTE = 600
TOKENS_A_MINUTE = 90_000
# Echoed: 140 words in and out. The estimate of the input is 4 for the frame above that.
LARGE = "abc " * 140
LARGE_RESERVES = 144 + 140
LARGE_USES = 280
MODELS = ("requests", "tokens", "closed", "free")
RUN = "from interlingua_gateway.cli.start import main; main()"

pytestmark = pytest.mark.timeout(120)


class Tally:
    """What became of the calls of one crowd."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.tokens = 0
        self.slowest_s = 0.0
        self.began = self.ended = 0.0

    @property
    def admitted(self) -> int:
        return self.reasons[""]

    @property
    def took_s(self) -> float:
        return self.ended - self.began

    def __str__(self) -> str:
        rates = f"{sum(self.reasons.values())} calls in {self.took_s:.2f} s"
        return f"{rates}, {dict(self.reasons)}, {self.tokens} tokens, slowest {self.slowest_s:.2f}"


class Replicas:
    """Gateways that share a Redis; calls go to them in turn."""

    def __init__(self, stubs: list[gateway_service_pb2_grpc.GatewayServiceStub]) -> None:
        self._stubs = stubs

    async def crowd(self, calls: int, request: generate_pb2.GenerateRequest) -> Tally:
        """200 callers at once, each of which makes `calls` calls one after the other."""
        tally = Tally()

        async def caller(number: int) -> None:
            for turn in range(calls):
                await self._call(self._stubs[(number + turn) % len(self._stubs)], request, tally)

        tally.began = time.monotonic()
        await asyncio.gather(*(caller(number) for number in range(CALLERS)))
        tally.ended = time.monotonic()
        return tally

    async def _call(
        self,
        stub: gateway_service_pb2_grpc.GatewayServiceStub,
        request: generate_pb2.GenerateRequest,
        tally: Tally,
    ) -> None:
        began = time.monotonic()
        try:
            response = await stub.Generate(request, timeout=30)
        except grpc.aio.AioRpcError as error:
            tally.reasons[_reason(error)] += 1
        else:
            tally.reasons[""] += 1
            tally.tokens += response.usage.input_tokens + response.usage.output_tokens
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)


class Cluster:
    """Gateways that share a Redis, their configuration, and the directory of their logs."""

    def __init__(self, directory: Path, redis: RedisServer, addresses: list[str]) -> None:
        self.directory = directory
        self.redis = redis
        self._addresses = addresses

    @asynccontextmanager
    async def callers(self) -> AsyncIterator[Replicas]:
        """Connections to all gateways."""
        async with AsyncExitStack() as stack:
            stubs = []
            for address in self._addresses:
                channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
                await channel.channel_ready()
                stub = gateway_service_pb2_grpc.GatewayServiceStub(channel)
                await stub.Generate(ask("warm", model="free"))
                stubs.append(stub)
            yield Replicas(stubs)

    @property
    def outages(self) -> int:
        """How often a gateway has left Redis alone, by their logs."""
        logs = self.directory.glob("*/log")
        return sum(log.read_text().count('"message":"Redis is out of use"') for log in logs)


@contextmanager
def cluster(directory: Path, processes: int, limits: Mapping[str, object]) -> Iterator[Cluster]:
    """So many gateways in processes of their own, with a Redis of their own."""
    with redis_server() as redis, ExitStack() as stack:
        starting = [
            stack.enter_context(_process(redis, directory / str(number), limits))
            for number in range(processes)
        ]
        try:
            yield Cluster(directory, redis, [address for _, address in starting])
        finally:
            for process, _ in starting:
                process.terminate()


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four gateways; each test has a limit of its own."""
    rules = [_rule(name) for name in ("requests", "tokens", "closed")]
    limits = {"rules": rules, "when_redis_is_down": "closed"}
    with cluster(tmp_path_factory.mktemp("four"), PROCESSES, limits) as made:
        yield made


@contextmanager
def _process(
    redis: RedisServer, directory: Path, limits: Mapping[str, object]
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    directory.mkdir()
    address = f"unix:{directory}/gateway.sock"
    target = {"provider": "stage", "model": "echo"}
    tree = {
        # As many streams that a busy machine has not yet cleared away are no overload.
        "server": {
            "listen": [address],
            "drain": {"delay_s": 0},
            "max_concurrent_streams": 10 * CALLERS,
        },
        "http": {"listen": None},
        "telemetry": {"log_level": "warning", "log_format": "json"},
        "data_dir": str(directory / "data"),
        "providers": {"stage": {"kind": "scripted"}},
        "models": [{"name": name, "targets": [target]} for name in MODELS],
        "limits": limits,
        # Long, so that a busy machine does not look like an outage.
        "redis": {"url": redis.url, "timeout_s": 5},
    }
    file = directory / "gateway.yaml"
    file.write_text(yaml.safe_dump(tree))
    paths = (ROOT / "server", ROOT / "clients/python/src")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, "serve", "--config", str(file)],
            stdout=log,
            stderr=log,
            env=environment,
        )
        try:
            yield process, address
        finally:
            process.terminate()
            process.wait(20)


def _rule(model: str) -> dict[str, object]:
    return {
        "name": model,
        "models": [model],
        "requests_per_minute": REQUESTS_A_MINUTE,
        "tokens_per_minute": TOKENS_A_MINUTE,
    }


async def test_requests(four: Cluster) -> None:
    """In `t` seconds 600 requests and 10 more a second are admitted, to the request."""
    async with four.callers() as gateways:
        tally = await gateways.crowd(8, _asked("requests", "hello", 5))
    print(tally)
    assert four.outages == 0
    assert set(tally.reasons) == {"", "RATE_LIMITED requests_per_minute"}
    assert _most(tally) - 10 <= tally.admitted <= _most(tally)


async def test_tokens(four: Cluster) -> None:
    """In `t` seconds 90,000 tokens and 1,500 more a second are used, to one call's reservation."""
    async with four.callers() as gateways:
        tally = await gateways.crowd(8, _asked("tokens", LARGE, 140))
    print(tally)
    assert four.outages == 0
    assert set(tally.reasons) == {"", "RATE_LIMITED tokens_per_minute"}
    assert tally.tokens == tally.admitted * LARGE_USES
    most = TOKENS_A_MINUTE + TOKENS_A_MINUTE / 60 * tally.took_s
    assert most - 3 * LARGE_RESERVES <= tally.tokens <= most


async def test_queues_share_a_limit(tmp_path: Path) -> None:
    """Each gateway has a queue of its own before one limit: all calls are served, at its rate."""
    rule = {"name": "all", "models": ["requests"], "requests_per_minute": 12_000}
    limits = {"rules": [rule | {"burst_requests": 100}], "queue": {"max_waiting": CALLERS}}
    with cluster(tmp_path, 2, limits) as made:
        async with made.callers() as gateways:
            tally = await gateways.crowd(3, _asked("requests", "hello", 5))
    print(tally)
    assert made.outages == 0
    assert tally.reasons == {"": 600}
    assert tally.took_s >= 2.5


async def test_redis_dies_and_closed_admits_nobody(four: Cluster) -> None:
    """Four gateways that let nobody in meanwhile."""
    await _outage(four, "closed", PROCESSES, 0, {"OVERLOADED"})


# How many limits hold for two gateways together while Redis is away (None: no limit), and why
# calls are refused.
OUTAGES = {
    "open": (None, {""}),
    "local": (2, {"", "RATE_LIMITED requests_per_minute"}),
}


@pytest.mark.parametrize("policy", OUTAGES)
async def test_redis_dies_and_comes_back(tmp_path: Path, policy: str) -> None:
    times, reasons = OUTAGES[policy]
    limits = {"rules": [_rule("requests")], "when_redis_is_down": policy}
    with cluster(tmp_path, 2, limits) as two:
        await _outage(two, "requests", 2, times, reasons)


async def _outage(
    made: Cluster, model: str, processes: int, times: int | None, reasons: set[str]
) -> None:
    """Redis is killed between two crowds and started again; `times` limits hold meanwhile."""
    request = _asked(model, "hello", 5)
    async with made.callers() as gateways:
        before = await gateways.crowd(5, request)
        made.redis.kill()
        meanwhile = await gateways.crowd(8, request)
        made.redis.start()
        await _back(gateways, made.redis, processes)
        after = await gateways.crowd(5, request)
    print(before, meanwhile, after, sep="\n")
    assert made.outages == processes
    assert _most(before) - 10 <= before.admitted <= _most(before)
    assert set(meanwhile.reasons) == reasons
    most = 8 * CALLERS if times is None else times * _most(meanwhile)
    assert most - 10 * processes <= meanwhile.admitted <= most
    # A Redis without a disk comes back with full buckets.
    assert _most(after) - 10 <= after.admitted <= _most(after)
    assert set(after.reasons) == {"", "RATE_LIMITED requests_per_minute"}
    assert max(before.slowest_s, meanwhile.slowest_s, after.slowest_s) < 10.0


async def _back(gateways: Replicas, redis: RedisServer, processes: int) -> None:
    """Wait until all gateways use Redis again: each one writes when it finds it."""
    client = Redis.from_url(redis.url)
    written = 0
    while written < processes:
        clients = await client.client_list()
        written = sum(row["cmd"] in ("set", "evalsha", "eval") for row in clients)
    await client.aclose()
    await gateways.crowd(1, ask("turn the loops", model="free"))


def _most(tally: Tally) -> float:
    return REQUESTS_A_MINUTE + REQUESTS_A_MINUTE / 60 * tally.took_s


def _asked(model: str, text: str, tokens: int) -> generate_pb2.GenerateRequest:
    return ask(text, model=model, sampling=generate_pb2.SamplingOptions(max_output_tokens=tokens))


def _reason(error: grpc.aio.AioRpcError) -> str:
    """Such as `RATE_LIMITED requests_per_minute`; every refusal must say when to come back."""
    metadata = error.trailing_metadata()
    assert metadata is not None
    found = dict(metadata)["grpc-status-details-bin"]
    assert isinstance(found, bytes)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status_pb2.Status.FromString(found).details:
        detail.Unpack(info)
        detail.Unpack(retry)
    assert retry.retry_delay.ToTimedelta().total_seconds() > 0
    return f"{info.reason.removeprefix('ERROR_REASON_')} {info.metadata.get('limit', '')}".strip()
