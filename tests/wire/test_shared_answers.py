"""Shared and kept answers through the whole gateway, with a real HTTP upstream."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc
import pytest

from interlingua.v1 import admin_service_pb2, admin_service_pb2_grpc, generate_pb2
from tests.support.calls import until
from tests.support.gateway import Running, openai, running
from tests.support.redis_server import redis_server
from tests.support.requests import ask, embed
from tests.support.subjects import answer_openai
from tests.support.upstream import LAST_CHUNK, STREAM_HEAD, Upstream, Visit, sse

CALLERS = 1_000
WORDS = tuple(f"w{number} " for number in range(20))
BYPASS = generate_pb2.CacheOptions(mode=generate_pb2.CACHE_MODE_BYPASS)


def _delta(content: str, finish: str = "null") -> bytes:
    text = f'{{"index":0,"delta":{{"content":"{content}"}},"finish_reason":{finish}}}'
    return f'{{"id":"c","model":"m","choices":[{text}]}}'.encode()


class Teller:
    """An upstream that says a word whenever `tell` is called, and knows when it was left."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.came = asyncio.Event()
        self.left_at: float | None = None
        self.left = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        self.visits.append(visit)
        await visit.send(STREAM_HEAD)
        self.came.set()
        await visit.gone()
        self.left_at = time.monotonic()
        self.left.set()

    async def tell(self, word: str) -> None:
        await self.visits[0].send(sse(_delta(word)))

    async def finish(self) -> None:
        await self.visits[0].send(sse(_delta("", '"stop"'), b"[DONE]") + LAST_CHUNK)


class Caller:
    """One streaming call; `text` is what it has got so far."""

    def __init__(self, gateway: Running) -> None:
        self.text = ""
        self.whole = False
        self.report: generate_pb2.CallReport | None = None
        self._came = asyncio.Event()
        self._stream = gateway.calls.StreamGenerate(ask())
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._stream:
            self.text += message.text_delta
            self._came.set()
            if message.HasField("completed"):
                self.whole = True
                self.report = message.completed.report

    async def got(self, text: str) -> None:
        """Wait until `text` has come."""
        while self.text != text:
            self._came.clear()
            await self._came.wait()

    def hang_up(self) -> None:
        self._stream.cancel()


def _shared(url: str) -> dict[str, object]:
    tree = dict(openai(url))
    tree["server"] = {"max_concurrent_streams": 2 * CALLERS, "max_concurrent_calls": 2 * CALLERS}
    tree["models"][0]["dedupe"] = {}
    return tree


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    return {"UP_KEY": "sk-up-1234567890"}


async def test_a_thousand_identical_streams_are_one_upstream_call(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    teller = Teller()
    async with (
        Upstream(teller) as upstream,
        running(_shared(upstream.url), tmp_path, environment=environment) as gateway,
    ):
        callers = [Caller(gateway) for _ in range(CALLERS // 2)]
        await teller.came.wait()
        for word in WORDS[:10]:
            await teller.tell(word)
        so_far = "".join(WORDS[:10])
        await asyncio.gather(*(caller.got(so_far) for caller in callers))
        callers += [Caller(gateway) for _ in range(CALLERS // 2)]
        await asyncio.gather(*(caller.got(so_far) for caller in callers))
        for word in WORDS[10:]:
            await teller.tell(word)
        await teller.finish()
        await asyncio.gather(*(caller.task for caller in callers))
        assert {caller.text for caller in callers} == {"".join(WORDS)}
        assert all(caller.whole for caller in callers)
        statuses = [caller.report.dedupe_status for caller in callers if caller.report]
        assert statuses.count(generate_pb2.DEDUPE_STATUS_LEADER) == 1
        assert statuses.count(generate_pb2.DEDUPE_STATUS_FOLLOWER) == CALLERS - 1
    assert len(teller.visits) == 1


async def test_all_but_one_hang_up_and_the_last_still_finishes(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    teller = Teller()
    async with (
        Upstream(teller) as upstream,
        running(_shared(upstream.url), tmp_path, environment=environment) as gateway,
    ):
        callers = [Caller(gateway) for _ in range(CALLERS)]
        await teller.came.wait()
        await teller.tell(WORDS[0])
        await asyncio.gather(*(caller.got(WORDS[0]) for caller in callers))
        for caller in callers[:-1]:
            caller.hang_up()
        await until(lambda: gateway.in_flight == 1)
        assert not teller.left.is_set()
        await teller.tell(WORDS[1])
        await teller.finish()
        await callers[-1].task
        assert callers[-1].text == WORDS[0] + WORDS[1]
        assert callers[-1].whole
    assert len(teller.visits) == 1


async def test_all_hang_up_and_the_upstream_is_closed_within_100_ms(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    teller = Teller()
    async with (
        Upstream(teller) as upstream,
        running(_shared(upstream.url), tmp_path, environment=environment) as gateway,
    ):
        callers = [Caller(gateway) for _ in range(CALLERS)]
        await teller.came.wait()
        await teller.tell(WORDS[0])
        await asyncio.gather(*(caller.got(WORDS[0]) for caller in callers))
        for caller in callers[:-1]:
            caller.hang_up()
        await until(lambda: gateway.in_flight == 1)
        hung_up_at = time.monotonic()
        callers[-1].hang_up()
        await teller.left.wait()
        assert teller.left_at is not None
        assert teller.left_at - hung_up_at < 0.1
    assert len(teller.visits) == 1


async def test_a_thousand_hang_up_at_once(tmp_path: Path, environment: dict[str, str]) -> None:
    teller = Teller()
    async with (
        Upstream(teller) as upstream,
        running(_shared(upstream.url), tmp_path, environment=environment) as gateway,
    ):
        callers = [Caller(gateway) for _ in range(CALLERS)]
        await teller.came.wait()
        await teller.tell(WORDS[0])
        await asyncio.gather(*(caller.got(WORDS[0]) for caller in callers))
        for caller in callers:
            caller.hang_up()
        await teller.left.wait()
        await until(lambda: not gateway.in_flight)


EVERYTHING = ["inference", "admin"]


def _kept(url: str, anonymous: list[str] | None = None) -> dict[str, object]:
    tree = dict(openai(url, price=True))
    tree["models"][0]["cache"] = {}
    tree["models"][0]["targets"][0]["model"] = "text"
    tree["auth"] = {"anonymous": anonymous}
    return tree


async def test_answers_are_kept_and_removed(tmp_path: Path, environment: dict[str, str]) -> None:
    async with (
        Upstream(answer_openai) as upstream,
        running(
            _kept(f"{upstream.url}/v1", EVERYTHING), tmp_path, environment=environment
        ) as gateway,
    ):
        admin = admin_service_pb2_grpc.AdminServiceStub(gateway.channel)

        async def removed(**selector: object) -> int:
            request = admin_service_pb2.InvalidateCacheRequest(**selector)
            return (await admin.InvalidateCache(request)).removed

        first = await gateway.calls.Generate(ask(tags=["t"], user="somebody"))
        again = await gateway.calls.Generate(ask())
        assert first.report.cache_status == generate_pb2.CACHE_STATUS_MISS
        assert again.report.cache_status == generate_pb2.CACHE_STATUS_HIT
        assert again.candidates == first.candidates
        assert again.usage == first.usage
        assert first.cost.cost_nano_usd > 0
        assert again.cost.cost_nano_usd == 0
        assert again.HasField("cost")
        assert again.operation_id != first.operation_id
        assert len(upstream.visits) == 1
        table = [
            {"operation_id": first.operation_id},
            {"model": "default"},
            {"tenant_id": ""},
            {"tag": "t"},
            {"request": ask(user="somebody else")},
        ]
        for selector in table:
            assert await removed(**selector) == 1, selector
            assert await removed(**selector) == 0, selector
            first = await gateway.calls.Generate(ask(tags=["t"]))
            assert first.report.cache_status == generate_pb2.CACHE_STATUS_MISS, selector
            if "operation_id" in selector:
                table[0]["operation_id"] = first.operation_id
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await removed()
        assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        vectors = await gateway.calls.Embed(embed("a", "b"))
        assert (await gateway.calls.Embed(embed("a", "b"))).embeddings == vectors.embeddings


async def test_batches_use_the_cache_too(tmp_path: Path, environment: dict[str, str]) -> None:
    async with (
        Upstream(answer_openai) as upstream,
        running(_kept(f"{upstream.url}/v1"), tmp_path, environment=environment) as gateway,
    ):
        await gateway.calls.Generate(ask())
        batch = generate_pb2.BatchGenerateRequest(requests=[ask(), ask(cache=BYPASS)])
        results = {r.index: r.response.report async for r in gateway.calls.BatchGenerate(batch)}
        assert results[0].cache_status == generate_pb2.CACHE_STATUS_HIT
        assert results[1].cache_status == generate_pb2.CACHE_STATUS_BYPASS
        assert len(upstream.visits) == 2


async def test_admin_methods_need_the_scope(tmp_path: Path, environment: dict[str, str]) -> None:
    async with running(
        _kept("http://localhost:1/v1"), tmp_path, environment=environment
    ) as gateway:
        admin = admin_service_pb2_grpc.AdminServiceStub(gateway.channel)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await admin.InvalidateCache(admin_service_pb2.InvalidateCacheRequest(tag="t"))
        assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_wishes_of_a_cache_that_is_not_there(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    async with running(
        openai("http://localhost:1/v1"), tmp_path, environment=environment
    ) as gateway:
        only = generate_pb2.CacheOptions(mode=generate_pb2.CACHE_MODE_ONLY_IF_CACHED)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await gateway.calls.Generate(ask(cache=only))
        assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "cache.mode" in str(failure.value.details())


async def test_gateways_share_answers_and_operations_through_redis(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    directories = [tmp_path / "one", tmp_path / "two"]
    for directory in directories:
        directory.mkdir()
    with redis_server() as server:
        async with Upstream(answer_openai) as upstream:
            tree = _kept(f"{upstream.url}/v1", EVERYTHING)
            tree |= {"redis": {"url": server.url, "timeout_s": 5}, "cache": {"store": "redis"}}
            async with (
                running(tree, directories[0], environment=environment) as one,
                running(tree, directories[1], environment=environment) as two,
            ):
                first = await one.calls.Generate(ask())
                once = await one.calls.Generate(ask("once", idempotency_key="k", cache=BYPASS))
                await one.built.stores.blobs.settled()
                again = await two.calls.Generate(ask())
                twice = await two.calls.Generate(ask("once", idempotency_key="k", cache=BYPASS))
                assert again.report.cache_status == generate_pb2.CACHE_STATUS_HIT
                assert again.candidates == first.candidates
                assert twice.report.dedupe_status == generate_pb2.DEDUPE_STATUS_FOLLOWER
                assert twice.candidates == once.candidates
                assert len(upstream.visits) == 2
                admin = admin_service_pb2_grpc.AdminServiceStub(two.channel)
                everything = admin_service_pb2.InvalidateCacheRequest(model="default")
                assert (await admin.InvalidateCache(everything)).removed == 2
                gone = await one.calls.Generate(ask())
                assert gone.report.cache_status == generate_pb2.CACHE_STATUS_MISS
                server.kill()
                missed = await two.calls.Generate(ask())
                assert missed.report.cache_status == generate_pb2.CACHE_STATUS_MISS
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await admin.InvalidateCache(everything)
                assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
