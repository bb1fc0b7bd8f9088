"""Four gateway processes on one real Redis under 200 callers: what the limits promise, exactly."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
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
RUN = "from interlingua_gateway.cli.main import main; main()"

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
                await self._call(self._stubs[(number + turn) % PROCESSES], request, tally)

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


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@asynccontextmanager
async def replicas(
    redis: RedisServer, directory: Path, limits: Mapping[str, object]
) -> AsyncIterator[Replicas]:
    """Four gateways in processes of their own."""
    async with AsyncExitStack() as stack:
        addresses = [
            stack.enter_context(_process(redis, directory / str(number), limits))
            for number in range(PROCESSES)
        ]
        stubs = []
        for address in addresses:
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
            await channel.channel_ready()
            stub = gateway_service_pb2_grpc.GatewayServiceStub(channel)
            await stub.Generate(ask("warm", model="free"))
            stubs.append(stub)
        yield Replicas(stubs)


@contextmanager
def _process(redis: RedisServer, directory: Path, limits: Mapping[str, object]) -> Iterator[str]:
    directory.mkdir()
    address = f"unix:{directory}/gateway.sock"
    target = {"provider": "stage", "model": "echo"}
    tree = {
        "server": {"listen": [address], "drain": {"delay_s": 0}},
        "http": {"listen": None},
        "telemetry": {"log_level": "warning", "log_format": "json"},
        "data_dir": str(directory / "data"),
        "providers": {"stage": {"kind": "scripted"}},
        "models": [{"name": name, "targets": [target]} for name in ("limited", "free")],
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
            yield address
        finally:
            process.terminate()
            process.wait(20)


def _limits(**settings: object) -> dict[str, object]:
    rule = {
        "name": "all",
        "models": ["limited"],
        "requests_per_minute": REQUESTS_A_MINUTE,
        "tokens_per_minute": TOKENS_A_MINUTE,
    }
    return {"rules": [rule], **settings}


async def test_requests(redis: RedisServer, tmp_path: Path) -> None:
    """In `t` seconds 600 requests and 10 more a second are admitted, to the request."""
    async with replicas(redis, tmp_path, _limits()) as gateways:
        tally = await gateways.crowd(15, _asked("hello", 5))
    print(tally)
    assert _outages(tmp_path) == 0
    assert set(tally.reasons) == {"", "RATE_LIMITED requests_per_minute"}
    assert _most(tally) - 10 <= tally.admitted <= _most(tally)


async def test_tokens(redis: RedisServer, tmp_path: Path) -> None:
    """In `t` seconds 90,000 tokens and 1,500 more a second are used, to one call's reservation."""
    async with replicas(redis, tmp_path, _limits()) as gateways:
        tally = await gateways.crowd(15, _asked(LARGE, 140))
    print(tally)
    assert _outages(tmp_path) == 0
    assert set(tally.reasons) == {"", "RATE_LIMITED tokens_per_minute"}
    assert tally.tokens == tally.admitted * LARGE_USES
    most = TOKENS_A_MINUTE + TOKENS_A_MINUTE / 60 * tally.took_s
    assert most - 3 * LARGE_RESERVES <= tally.tokens <= most


async def test_queues_share_a_limit(redis: RedisServer, tmp_path: Path) -> None:
    """Each gateway has a queue of its own before one limit: all calls are served, at its rate."""
    rule = {"name": "all", "models": ["limited"], "requests_per_minute": 6000}
    limits = {"rules": [rule | {"burst_requests": 100}], "queue": {"max_waiting": CALLERS}}
    async with replicas(redis, tmp_path, limits) as gateways:
        tally = await gateways.crowd(3, _asked("hello", 5))
    print(tally)
    assert _outages(tmp_path) == 0
    assert tally.reasons == {"": 600}
    assert tally.took_s >= 5.0


# How many limits hold for the gateways together while Redis is away (None: no limit), and why
# calls are refused.
OUTAGES = {
    "closed": (0, {"OVERLOADED"}),
    "open": (None, {""}),
    "local": (PROCESSES, {"", "RATE_LIMITED requests_per_minute"}),
}


@pytest.mark.parametrize("policy", OUTAGES)
async def test_redis_dies_and_comes_back(redis: RedisServer, tmp_path: Path, policy: str) -> None:
    times, reasons = OUTAGES[policy]
    limits = _limits(when_redis_is_down=policy)
    async with replicas(redis, tmp_path, limits) as gateways:
        before = await gateways.crowd(5, _asked("hello", 5))
        redis.kill()
        meanwhile = await gateways.crowd(20, _asked("hello", 5))
        redis.start()
        await _back(gateways, redis)
        after = await gateways.crowd(10, _asked("hello", 5))
    print(before, meanwhile, after, sep="\n")
    assert _outages(tmp_path) == PROCESSES
    assert _most(before) - 10 <= before.admitted <= _most(before)
    assert set(meanwhile.reasons) == reasons
    most = 20 * CALLERS if times is None else times * _most(meanwhile)
    assert most - 10 * PROCESSES <= meanwhile.admitted <= most
    # A Redis without a disk comes back with full buckets.
    assert _most(after) - 10 <= after.admitted <= _most(after)
    assert set(after.reasons) == {"", "RATE_LIMITED requests_per_minute"}
    assert max(before.slowest_s, meanwhile.slowest_s, after.slowest_s) < 10.0


async def _back(gateways: Replicas, redis: RedisServer) -> None:
    """Wait until all gateways use Redis again: each one writes when it finds it."""
    client = Redis.from_url(redis.url)
    written = 0
    while written < PROCESSES:
        clients = await client.client_list()
        written = sum(row["cmd"] in ("set", "evalsha", "eval") for row in clients)
    await client.aclose()
    await gateways.crowd(1, ask("turn the loops", model="free"))


def _outages(directory: Path) -> int:
    """How often a gateway has left Redis alone, by their logs."""
    logs = directory.glob("*/log")
    return sum(log.read_text().count('"message":"Redis is out of use"') for log in logs)


def _most(tally: Tally) -> float:
    return REQUESTS_A_MINUTE + REQUESTS_A_MINUTE / 60 * tally.took_s


def _asked(text: str, tokens: int) -> generate_pb2.GenerateRequest:
    return ask(
        text, model="limited", sampling=generate_pb2.SamplingOptions(max_output_tokens=tokens)
    )


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
