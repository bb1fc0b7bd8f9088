"""What a gateway records of real calls, through spool and database."""

from __future__ import annotations

import asyncio
from collections import Counter

import grpc
import msgspec
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import select

from interlingua.v1 import admin_service_pb2 as admin_pb2
from interlingua.v1 import admin_service_pb2_grpc, generate_pb2
from interlingua_gateway.store.sql.ledger_tables import OPERATIONS
from tests.support.credentials import ADMIN, bearer
from tests.support.databases import KINDS
from tests.support.failures import failure
from tests.support.gateway import Running, openai, scripted
from tests.support.http_get import http_get
from tests.support.ledger import counted, ids
from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.requests import ask, embed
from tests.support.upstream import Upstream, always
from tests.support.upstream import whole as whole_answer

TREE = scripted(
    broken=[{"do": "say", "text": "so far"}, {"do": "fail", "message": "gone"}],
    hang=[{"do": "say", "text": "so far"}, {"do": "hang"}],
)

Asked, Status = health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
REFUSING = ("", "interlingua.v1.GatewayService", "interlingua.v1.FeedbackService")
"""Services whose calls need to be recorded, and the whole."""

WITHOUT_USAGE = (
    b'{"id":"x","model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"one two"}}]}'
)


async def rows(gateway: Running) -> list[dict[str, object]]:
    """All operations, in the order of their ids, after everything is flushed."""
    await gateway.built.ledger.finish()
    query = select(OPERATIONS).order_by(OPERATIONS.c.operation_id)
    database = await gateway.built.databases.open()
    return await database.read(lambda c: [dict(row) for row in c.execute(query).mappings()])


def health_of(gateway: Running) -> health_pb2_grpc.HealthStub:
    return health_pb2_grpc.HealthStub(gateway.channel)


async def readiness(gateway: Running) -> int:
    return (await http_get(gateway.built.http.address, "/readyz")).status


@pytest.fixture(params=KINDS)
def database_of(request: pytest.FixtureRequest) -> dict[str, object]:
    """The section `database` of a configuration."""
    if request.param == "sqlite":
        return {}
    server: PostgresServer = request.getfixturevalue("postgres")
    return {"database": {"url": server.new_database()}}


async def test_every_kind_of_operation_is_a_row(start, database_of) -> None:
    gateway = await start({**TREE, **database_of})
    calls = gateway.calls
    whole = await calls.Generate(ask("one two", tags=["t"], metadata={"a": "b"}, user="ann"))
    events = [event async for event in calls.StreamGenerate(ask("three"))]
    vectors = await calls.Embed(embed("x", "y"))
    batch = generate_pb2.BatchGenerateRequest(
        requests=[ask("item"), ask("item", model="broken"), ask("item", model="nowhere")]
    )
    items = [item async for item in calls.BatchGenerate(batch)]
    counted_tokens = await calls.CountTokens(generate_pb2.CountTokensRequest(request=ask("n")))
    assert counted_tokens.input_tokens
    found = {row["operation_id"]: row for row in await rows(gateway)}
    first = found.pop(whole.operation_id)
    assert (first["method"], first["end_user"], first["model"]) == ("Generate", "ann", "default")
    assert (first["input_tokens"], first["output_tokens"]) == (2, 2)
    assert first["accepted_at_ms"] == whole.answered_by.accepted_at.ToMilliseconds()
    details = msgspec.json.decode(first["details"])
    assert details["tags"] == ["t"]
    assert details["metadata"] == {"a": "b"}
    assert [attempt["deployment"] for attempt in details["attempts"]] == ["stage/echo"]
    second = found.pop(events[0].start.operation_id)
    assert (second["method"], second["output_tokens"]) == ("StreamGenerate", 1)
    assert second["first_event_us"] is not None
    third = found.pop(vectors.operation_id)
    assert (third["method"], third["input_tokens"]) == ("Embed", vectors.usage.input_tokens)
    answered = [item.response.operation_id for item in items if item.HasField("response")]
    assert found.pop(answered[0])["method"] == "BatchGenerate"
    left = Counter((row["method"], row["reason"]) for row in found.values())
    left.pop(("CountTokens", ""), None)
    assert left == {
        ("BatchGenerate", "UPSTREAM_UNAVAILABLE"): 1,
        ("BatchGenerate", "MODEL_NOT_FOUND"): 1,
    }


async def test_what_a_whole_answer_says_is_what_is_recorded(start) -> None:
    """The provider says no usage: what is estimated when all has come is in both."""
    async with Upstream(always(whole_answer(WITHOUT_USAGE))) as upstream:
        gateway = await start(openai(upstream.url, price=True), environment={"UP_KEY": "k"})
        whole = await gateway.calls.Generate(ask("a b c"))
    (row,) = await rows(gateway)
    assert whole.usage.estimated
    assert whole.usage.output_tokens > 0
    assert row["input_tokens"] == whole.usage.input_tokens
    assert row["output_tokens"] == whole.usage.output_tokens
    assert row["cost_nano_usd"] == whole.cost.cost_nano_usd > 0


async def test_breaks_and_cancellations_are_recorded_with_what_was_made(start) -> None:
    gateway = await start(TREE)
    broken = await failure(gateway.calls.StreamGenerate(ask(model="broken")))
    assert broken.reason == "STREAM_BROKEN"
    call = gateway.calls.StreamGenerate(ask(model="hang"))
    while (await call.read()).WhichOneof("event") != "text_delta":
        pass
    call.cancel()
    await asyncio.wait_for(gateway.built.grpc.front.drained(), 5)
    first, second = await rows(gateway)
    assert (first["outcome"], first["provider"]) == ("failed", "stage")
    assert first["output_tokens"] == int(broken.metadata["output_tokens"])
    assert (second["outcome"], second["reason"]) == ("cancelled", "CANCELLED")
    assert second["usage_estimated"]
    assert second["output_tokens"] > 0


async def test_what_would_flood_the_ledger_is_refused(start) -> None:
    """Each tag has totals of its own: 200,000 of them once made a database of 173 MiB."""
    gateway = await start(TREE)
    many, labels = [str(n) for n in range(33)], {"k": "v" * 1025}
    for call in (
        gateway.calls.Generate(ask(tags=many)),
        gateway.calls.StreamGenerate(ask(metadata=labels)),
        gateway.calls.Embed(embed("x", tags=many)),
    ):
        refused = await failure(call)
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    batch = generate_pb2.BatchGenerateRequest(requests=[ask(tags=many)])
    async for item in gateway.calls.BatchGenerate(batch):
        assert "tags" in item.error.message
    await gateway.calls.Generate(ask(tags=many[1:], metadata={"k": "v" * 1024}))
    assert len(await rows(gateway)) == 1


async def test_every_refusal_of_a_known_caller_is_a_row_with_its_reason(start) -> None:
    priced = {"input_usd_per_million": 1}
    target = {"provider": "stage", "model": "echo"}
    names = ("limited", "spent", "forbidden", "deep")
    models = [{"name": n, "targets": [{**target, "deployment": n, "price": priced}]} for n in names]
    rule = {"name": "l", "models": ["limited"], "requests_per_minute": 1, "burst_requests": 1}
    budget = {"name": "b", "models": ["spent"], "period": "total", "limit_usd": 0.000001}
    gateway = await start(
        {
            **scripted(),
            "models": models,
            "auth": {"admin_key": "env:ADMIN"},
            "limits": {"rules": [rule], "queue": {"max_waiting": 0}},
            "budgets": {"rules": [budget]},
        },
        environment={"ADMIN": ADMIN},
    )
    admin = admin_service_pb2_grpc.AdminServiceStub(gateway.channel)
    wish = admin_pb2.CreateApiKeyRequest(allowed_models=["limited", "spent", "deep", "nowhere"])
    made = await admin.CreateApiKey(wish, metadata=bearer(ADMIN))
    metadata = bearer(made.secret)
    await gateway.calls.Generate(ask(model="limited"), metadata=metadata)

    fallback = generate_pb2.RoutingOptions(fallback_models=["forbidden"])
    cached = generate_pb2.CacheOptions(mode=generate_pb2.CACHE_MODE_ONLY_IF_CACHED)
    refused = [
        await failure(call)
        for call in (
            gateway.calls.Generate(ask(model="forbidden"), metadata=metadata),
            gateway.calls.StreamGenerate(ask(model="forbidden"), metadata=metadata),
            gateway.calls.Embed(embed("x", model="forbidden"), metadata=metadata),
            gateway.calls.Generate(ask(model="deep", routing=fallback), metadata=metadata),
            gateway.calls.Generate(ask(model="limited"), metadata=metadata),
            gateway.calls.Generate(ask("long enough", "spent"), metadata=metadata),
            gateway.calls.Generate(ask(model="deep", cache=cached), metadata=metadata),
            gateway.calls.Generate(ask(model="nowhere"), metadata=metadata),
        )
    ]
    assert [told.reason for told in refused] == [
        *["PERMISSION_DENIED"] * 4,
        "RATE_LIMITED",
        "BUDGET_EXCEEDED",
        "UNSUPPORTED_PARAMETER",
        "MODEL_NOT_FOUND",
    ]
    batch = generate_pb2.BatchGenerateRequest(requests=[ask(model="forbidden")])
    (item,) = [item async for item in gateway.calls.BatchGenerate(batch, metadata=metadata)]
    assert item.HasField("error")

    found = await rows(gateway)
    assert {row["api_key_id"] for row in found} == {made.api_key.id}
    assert Counter(row["outcome"] for row in found) == {"ok": 1, "failed": 9}
    recorded = {row["operation_id"]: row["reason"] for row in found if row["reason"]}
    for told in refused:
        assert recorded.pop(told.metadata["operation_id"]) == told.reason
    assert list(recorded.values()) == ["PERMISSION_DENIED"], "the one of the batch"


async def test_nothing_is_recorded_where_that_is_configured(start, tmp_path) -> None:
    gateway = await start({**TREE, "ledger": {"enabled": False}})
    await gateway.calls.Generate(ask())
    await gateway.built.ledger.finish()
    assert not (gateway.config.data_dir / "spool").exists()
    assert not gateway.built.databases.exists


async def test_texts_are_kept_redacted_where_that_is_configured(start) -> None:
    gateway = await start({**TREE, "ledger": {"texts": {"keep": "redacted"}}})
    await gateway.calls.Generate(ask("write to ann@example.org"))
    await gateway.built.ledger.finish()
    files = [path for path in gateway.config.data_dir.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    assert b"write to [redacted]" in kept
    assert b"ann@example.org" not in kept


async def test_a_full_spool_refuses_calls_until_the_database_takes_it(start) -> None:
    """Load balancers are told meanwhile to send calls elsewhere, and to come back after it."""
    with postgres_server() as server:
        texts = {"keep": "redacted", "max_characters": 400_000}
        tree = {
            **TREE,
            "http": {"listen": "127.0.0.1:0"},
            "ledger": {"spool_max_bytes": 1024 * 1024, "texts": texts},
            "database": {"url": server.url()},
        }
        gateway = await start(tree)
        watches = [health_of(gateway).Watch(Asked(service=name)) for name in REFUSING]
        assert [(await watch.read()).status for watch in watches] == [Status.SERVING] * 3
        server.stop()
        large = ask("y" * 200_000)
        for _ in range(3):
            assert await readiness(gateway) == 200
            await gateway.calls.Generate(large)
        refused = await failure(gateway.calls.Generate(ask()))
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.UNAVAILABLE,
            "STORE_UNAVAILABLE",
        )
        assert refused.retry_s
        assert await readiness(gateway) == 503
        assert [(await watch.read()).status for watch in watches] == [Status.NOT_SERVING] * 3
        reports = await health_of(gateway).Check(Asked(service="interlingua.v1.UsageService"))
        assert reports.status == Status.SERVING
        server.start()
        await gateway.built.ledger.finish()
        assert [(await watch.read()).status for watch in watches] == [Status.SERVING] * 3
        assert await readiness(gateway) == 200
        await gateway.calls.Generate(ask())
        assert len(await rows(gateway)) == 4


async def test_an_outage_of_postgresql_under_load_is_not_felt(start) -> None:
    """No call fails, the gateway stays ready, and afterwards each operation is there once."""
    with postgres_server() as server:
        gateway = await start(
            {
                **TREE,
                "http": {"listen": "127.0.0.1:0"},
                "ledger": {"flush_interval_s": 0.01},
                "database": {"url": server.url()},
            }
        )
        answered: list[str] = []
        stop = asyncio.Event()

        async def caller() -> None:
            while not stop.is_set():
                answered.append((await gateway.calls.Generate(ask())).operation_id)
                events = [event async for event in gateway.calls.StreamGenerate(ask())]
                answered.append(events[0].start.operation_id)

        async def until(metric: str, least: float) -> float:
            """Calls go on until the metric says so; returns what it says."""
            value = -1.0
            while value < least:
                text = (await http_get(gateway.built.http.address, "/metrics")).text
                (line,) = (line for line in text.splitlines() if line.startswith(f"{metric} "))
                value = float(line.split()[1])
                ready = await http_get(gateway.built.http.address, "/readyz")
                assert ready.status == 200
            return value

        callers = [asyncio.create_task(caller()) for _ in range(16)]
        await until("interlingua_ledger_written_records_total", 50)
        await asyncio.to_thread(server.stop)
        await until("interlingua_ledger_flush_failures_total", 2)
        waiting = await until("interlingua_ledger_waiting_records", 0)
        await until("interlingua_ledger_waiting_records", waiting + 200)
        await asyncio.to_thread(server.start)
        stop.set()
        await asyncio.gather(*callers)
        await gateway.built.ledger.finish()
        database = await gateway.built.databases.open()
        assert await ids(database) == sorted(answered)
        assert (await counted(database))["operations"] == len(answered)
        assert (await counted(database, step_s=86400))["operations"] == len(answered)
