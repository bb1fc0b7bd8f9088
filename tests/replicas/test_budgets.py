"""Three gateways, one Redis and one PostgreSQL: no crowd spends more than a hard budget; and one
that is killed remembers."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import grpc
import psycopg
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2
from redis.asyncio import Redis

from interlingua.v1 import admin_service_pb2, generate_pb2
from tests.support.calls import until
from tests.support.gateway import UNFORGIVING
from tests.support.gateway_process import GatewayProcess
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer, redis_server
from tests.support.requests import ask

PROCESSES = 3
CALLERS = 50
LIMIT = 2_000_000_000
# An output token costs a thousandth of a dollar, an input token a millionth.
PRICE = {"input_usd_per_million": 1, "output_usd_per_million": 1000}
OUTPUT_TOKENS = 12
MOST = OUTPUT_TOKENS * 1_000_000 + 40 * 1_000  # what one call can cost, in 1e-9 USD
WORDS = "one two three four five six seven eight"
SCRIPTS = {
    "whole": [{"do": "say", "text": WORDS}],
    "slow": [{"do": "say", "text": WORDS, "pause_s": 0.005}],
    "broken": [{"do": "say", "text": "one two"}, {"do": "fail"}],
    "refused": [{"do": "fail"}],
    "stalled": [{"do": "say", "text": "one two"}, {"do": "hang"}],
}

BUDGETS = ("crowd", "outage", "memory")
"""One for each test on the same gateways, with models of its own: crowd-whole and so on."""

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


class Cluster:
    """The gateways, what they share, one budget, and what became of the calls on it."""

    def __init__(
        self, gateways: Sequence[GatewayProcess], redis: RedisServer, database: str, budget: str
    ) -> None:
        self.gateways = gateways
        self.tally: Counter[str] = Counter()
        self._redis = redis
        self._database = database
        self._budget = budget

    async def crowd(self, calls: int) -> None:
        """50 callers at once, each of which makes `calls` calls of all kinds, one by one."""
        await asyncio.gather(*(self._caller(number, calls) for number in range(CALLERS)))

    async def _caller(self, number: int, calls: int) -> None:
        chance = random.Random(number)
        for turn in range(calls):
            gateway = self.gateways[(number + turn) % PROCESSES]
            model = chance.choice(tuple(SCRIPTS))
            self.tally[await self.call(gateway, model)] += 1

    async def call(self, gateway: GatewayProcess, model: str) -> str:
        """Why it failed, or empty. Of a stream that would take long two messages are read."""
        sampling = generate_pb2.SamplingOptions(max_output_tokens=OUTPUT_TOKENS)
        request = ask("hello", model=f"{self._budget}-{model}", sampling=sampling)
        try:
            if model in ("slow", "stalled"):
                stream = gateway.calls.StreamGenerate(request, timeout=30)
                for _ in range(3):
                    await stream.read()
                stream.cancel()
            else:
                await gateway.calls.Generate(request, timeout=30)
        except grpc.aio.AioRpcError as error:
            return _reason(error)
        return ""

    async def until_refused(self) -> None:
        """One call after the other until the budget has no room for another one."""
        while await self.call(self.gateways[0], "whole") != "BUDGET_EXCEEDED":
            pass

    async def pot(self) -> dict[str, int]:
        """The fields of the pot in Redis, once no call holds anything of it."""
        client = Redis.from_url(self._redis.url)
        pot = f"{{interlingua}}:budget:{self._budget}:model:{self._budget}-*:total"
        try:
            while True:
                found = await client.hgetall(pot)
                fields = {name.decode(): int(value) for name, value in found.items()}
                if not fields.get("held") and not await client.zcard(pot + ":leases"):
                    return fields
        finally:
            await client.aclose()

    async def spent(self, gateway: GatewayProcess | None = None) -> int:
        """What a gateway says."""
        response = await (gateway or self.gateways[0]).admin.ListBudgets(
            admin_service_pb2.ListBudgetsRequest()
        )
        (spent,) = (b.spent_nano_usd for b in response.budgets if b.id.startswith(self._budget))
        return int(spent)

    async def ledger(self, until: Callable[[int], bool]) -> int:
        """What the ledger says, once that is so."""
        async with await psycopg.AsyncConnection.connect(
            self._database, autocommit=True
        ) as connection:
            while True:
                cursor = await connection.execute(
                    "SELECT sum(cost_nano_usd) FROM operations WHERE starts_with(model, %s)",
                    (self._budget,),
                )
                row = await cursor.fetchone()
                assert row is not None
                if until(int(row[0] or 0)):
                    return int(row[0] or 0)


Start = Callable[[str], Cluster]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(
    redis: RedisServer, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Start]:
    """`cluster(budget)` is the gateways, seen by the test that has this budget."""
    database, directory = postgres.new_database(), tmp_path_factory.mktemp("cluster")
    models = [
        {
            "name": f"{budget}-{name}",
            "targets": [{"provider": "stage", "model": name, "price": PRICE}],
        }
        for budget in BUDGETS
        for name in SCRIPTS
    ]
    rules = [
        {"name": name, "models": [f"{name}-*"], "period": "total", "limit_usd": LIMIT / 1e9}
        for name in BUDGETS
    ]
    tree = {
        "providers": {"stage": {"kind": "scripted", "script": SCRIPTS}},
        "models": models,
        "routing": UNFORGIVING,
        "auth": {"anonymous": ["inference", "admin"]},
        "database": {"url": database},
        # Long, so that a busy machine does not look like an outage.
        "redis": {"url": redis.url, "timeout_s": 5},
        "budgets": {"rules": rules},
    }
    gateways = [GatewayProcess(tree, directory / str(number)) for number in range(PROCESSES)]
    for gateway in gateways:
        gateway.start()
    try:
        await asyncio.gather(*(gateway.serving() for gateway in gateways))
        yield lambda budget: Cluster(gateways, redis, database, budget)
    finally:
        for gateway in gateways:
            await gateway.aclose()


async def test_a_crowd_cannot_overspend(cluster: Start) -> None:
    """Whole answers, broken ones, refused ones and streams that are cancelled in the middle: the
    sum never passes the limit, and when all is over nothing is held and the ledger agrees."""
    gateways = cluster("crowd")
    await gateways.crowd(20)
    await gateways.until_refused()
    pot = await gateways.pot()
    spent = pot["spent"] + pot.get("base", 0)
    print(gateways.tally, pot)
    assert gateways.tally["BUDGET_EXCEEDED"] > 0
    assert gateways.tally[""] > 100
    assert LIMIT - MOST <= spent <= LIMIT
    assert [await gateways.spent(one) for one in gateways.gateways] == [spent] * PROCESSES
    assert await gateways.ledger(lambda found: found >= spent) == spent


async def test_redis_dies_under_load(cluster: Start, redis: RedisServer) -> None:
    """Without a memory it comes back: the gateways put together what they know and what they did
    meanwhile, each with a tenth of what was left."""
    gateways = cluster("outage")
    crowd = asyncio.ensure_future(gateways.crowd(20))
    await until(lambda: gateways.tally.total() > 200)
    redis.kill()
    await until(lambda: gateways.tally.total() > 400)
    redis.start()
    await crowd
    await gateways.until_refused()
    pot = await gateways.pot()
    print(gateways.tally, pot)
    assert gateways.tally["OVERLOADED"] > 0
    assert LIMIT - MOST <= pot["base"] + pot["spent"] <= LIMIT
    # At most the calls that were under way when it died could be unknown to it.
    spent = await gateways.ledger(lambda found: found >= LIMIT - CALLERS * MOST)
    assert spent <= LIMIT + CALLERS * MOST


async def test_spending_is_not_forgotten(cluster: Start, redis: RedisServer) -> None:
    """Redis loses its memory; then Redis and all gateways die at once: PostgreSQL remembers."""
    gateways = cluster("memory")
    await gateways.crowd(4)
    pot = await gateways.pot()
    spent = pot["spent"] + pot.get("base", 0)
    assert 0 < spent < LIMIT
    redis.kill()
    redis.start()
    for gateway in gateways.gateways:
        await gateways.call(gateway, "refused")
    client = Redis.from_url(redis.url)
    while await _writers(client) < PROCESSES:
        pass
    await client.aclose()
    assert [await gateways.spent(one) for one in gateways.gateways] == [spent] * PROCESSES
    await gateways.until_refused()
    pot = await gateways.pot()
    spent = pot["spent"] + pot["base"]
    assert LIMIT - MOST <= spent <= LIMIT
    # kill -9, before the journal of the last second can be in the database.
    for gateway in gateways.gateways:
        gateway.kill()
    redis.kill()
    redis.start()
    for gateway in gateways.gateways:
        gateway.start()
    await asyncio.gather(*(gateway.serving() for gateway in gateways.gateways))
    await gateways.ledger(lambda found: found >= spent)
    while await gateways.spent() < spent:
        pass
    assert await gateways.spent() == spent
    assert await gateways.call(gateways.gateways[1], "whole") == "BUDGET_EXCEEDED"


async def _writers(client: Redis) -> int:
    """How many gateways use Redis again: each one writes when it finds it."""
    rows = await client.client_list()
    return sum(row["cmd"] in ("set", "evalsha", "eval") for row in rows)


def _reason(error: grpc.aio.AioRpcError) -> str:
    metadata = error.trailing_metadata()
    found = dict(metadata or ()).get("grpc-status-details-bin")
    if not isinstance(found, bytes):
        return str(error.code())
    info = error_details_pb2.ErrorInfo()
    for detail in status_pb2.Status.FromString(found).details:
        detail.Unpack(info)
    return info.reason.removeprefix("ERROR_REASON_")


@pytest.mark.parametrize("flushed", [False, True], ids=["no-database-yet", "database"])
async def test_a_kill_forgets_nothing_that_was_spent(tmp_path: Path, flushed: bool) -> None:
    """What lies in the spool of a process that was killed counts from the first call on."""
    target = {"provider": "stage", "model": "whole", "price": PRICE}
    tree = {
        "providers": {"stage": {"kind": "scripted", "script": SCRIPTS}},
        "models": [{"name": "whole", "targets": [target]}],
        "ledger": {"flush_interval_s": 3600},
        "budgets": {"rules": [{"name": "all", "period": "total", "limit_usd": "0.1"}]},
    }
    gateway = GatewayProcess(tree, tmp_path / "gateway")
    request = ask(model="whole", sampling={"max_output_tokens": OUTPUT_TOKENS})
    spent = 0
    for life in range(2):
        gateway.start()
        await gateway.serving()
        if life == 0 and flushed:
            spent += (await gateway.calls.Generate(request)).cost.cost_nano_usd
            gateway.stop()
            gateway.start()
            await gateway.serving()
        for _ in range(8):
            with suppress(grpc.aio.AioRpcError):
                spent += (await gateway.calls.Generate(request)).cost.cost_nano_usd
        gateway.kill()
    assert 100_000_000 - MOST < spent <= 100_000_000
    await gateway.aclose()
