"""Budgets as callers and administrators meet them, on a real gateway with its database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from interlingua.v1 import admin_service_pb2 as admin_pb2
from interlingua.v1 import (
    admin_service_pb2_grpc,
    generate_pb2,
    model_service_pb2,
    usage_service_pb2,
    usage_service_pb2_grpc,
)
from tests.support.calls import until
from tests.support.gateway import Running, running
from tests.support.http_get import http_get
from tests.support.postgres_server import PostgresServer
from tests.support.requests import ask
from tests.support.tiny_model import write_tiny_model
from tests.support.upstream import Upstream, Visit

PRICE = {"input_usd_per_million": 0, "output_usd_per_million": 1000}
MONTH = admin_pb2.BUDGET_PERIOD_MONTH
TOTAL = admin_pb2.BUDGET_PERIOD_TOTAL
SCRIPTS = {
    "say": [{"do": "say", "text": "one two three"}],
    "stalled": [{"do": "say", "text": "one two three"}, {"do": "hang"}],
}


def _tree(*rules: Mapping[str, object], **section: object) -> dict[str, object]:
    """An answer costs a thousandth of a dollar a token; the model `free` nobody knows what."""
    models = [
        {
            "name": name,
            "targets": [{"provider": "stage", "model": name, "deployment": name, "price": PRICE}],
        }
        for name in SCRIPTS
    ]
    unpriced = {"provider": "stage", "model": "say", "deployment": "free"}
    return {
        "auth": {"anonymous": ["inference", "admin"]},
        "providers": {"stage": {"kind": "scripted", "script": SCRIPTS}},
        "models": [*models, {"name": "free", "targets": [unpriced]}],
        "budgets": {"rules": list(rules), **section},
    }


def _rule(limit_usd: float = 0.01, **fields: object) -> dict[str, object]:
    return {"name": "all", "period": "total", "limit_usd": limit_usd, **fields}


def _ask(tokens: int = 5, model: str = "say", **fields: object) -> generate_pb2.GenerateRequest:
    sampling = generate_pb2.SamplingOptions(max_output_tokens=tokens)
    return ask(model=model, sampling=sampling, **fields)


def _admin(gateway: Running) -> admin_service_pb2_grpc.AdminServiceStub:
    return admin_service_pb2_grpc.AdminServiceStub(gateway.channel)


async def _spent(gateway: Running) -> dict[str, int]:
    """By id, in thousandths of a dollar."""
    response = await _admin(gateway).ListBudgets(admin_pb2.ListBudgetsRequest())
    return {budget.id: budget.spent_nano_usd // 10**6 for budget in response.budgets}


def _details(error: grpc.aio.AioRpcError) -> dict[str, object]:
    """The details of a refusal, by the name of their message."""
    metadata = error.trailing_metadata()
    assert metadata is not None
    status = status_pb2.Status.FromString(dict(metadata)["grpc-status-details-bin"])
    found: dict[str, object] = {}
    for detail in status.details:
        name = detail.TypeName().rpartition(".")[2]
        found[name] = getattr(error_details_pb2, name)()
        detail.Unpack(found[name])
    return found


async def test_a_refusal_has_everything_to_act_on(tmp_path: Path) -> None:
    async with running(_tree(_rule()), tmp_path) as gateway:
        for _ in range(2):
            response = await gateway.calls.Generate(_ask())
            assert response.cost.cost_nano_usd == 3 * 10**6
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await gateway.calls.Generate(_ask())
        assert await _spent(gateway) == {"all": 6}
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = _details(failure.value)
    info = details["ErrorInfo"]
    assert info.reason == "ERROR_REASON_BUDGET_EXCEEDED"
    assert (info.metadata["budget"], info.metadata["period"]) == ("all", "total")
    assert info.metadata["left_nano_usd"] == "4000000"
    (violation,) = details["QuotaFailure"].violations
    assert violation.subject == "gateway"
    assert violation.description == "budget `all`: 0.01 USD in total, 0.004 USD left"
    assert "RetryInfo" not in details
    assert "max_output_tokens" in (failure.value.details() or "")


async def test_streams_and_cancellations_settle(tmp_path: Path) -> None:
    async with running(_tree(_rule(limit_usd=0.02)), tmp_path) as gateway:
        stream = gateway.calls.StreamGenerate(_ask(19, "stalled"))
        for _ in range(2):
            await stream.read()
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.calls.Generate(_ask(2))
        stream.cancel()
        await until(lambda: not gateway.in_flight)
        assert await _spent(gateway) == {"all": 4}  # 13 letters, estimated
        await gateway.calls.Generate(_ask(16))


async def test_a_soft_budget_warns_in_the_response(tmp_path: Path) -> None:
    async with running(_tree(_rule(limit_usd=0.004, enforcement="soft")), tmp_path) as gateway:
        response = await gateway.calls.Generate(_ask(4))
        assert not response.report.warnings
        response = await gateway.calls.Generate(_ask(4))
        (warning,) = response.report.warnings
        assert warning.field == "budget"
        assert "0.003 USD are spent" in warning.description


async def test_unknown_prices(tmp_path: Path) -> None:
    async with running(_tree(_rule()), tmp_path) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await gateway.calls.Generate(_ask(model="free"))
        assert "budgets.unpriced" in (failure.value.details() or "")
    async with running(_tree(_rule(), unpriced="allow"), tmp_path) as gateway:
        await gateway.calls.Generate(_ask(model="free"))


async def test_the_embedded_model_costs_nothing_and_that_is_known(tmp_path: Path) -> None:
    weights = write_tiny_model(tmp_path / "tiny.gguf")
    tree = {
        "auth": {"anonymous": ["inference", "usage"]},
        "providers": {"local": {"kind": "local", "local": {"model_path": str(weights)}}},
        "models": [{"name": "small", "targets": [{"provider": "local", "model": "tiny"}]}],
        "budgets": {"rules": [_rule()]},
        "http": {"listen": "127.0.0.1:0"},
    }
    async with running(tree, tmp_path) as gateway:
        response = await gateway.calls.Generate(_ask(model="small"))
        assert response.HasField("cost")
        assert response.cost.cost_nano_usd == 0
        model = await gateway.models.GetModel(model_service_pb2.GetModelRequest(name="small"))
        (deployment,) = model.model.deployments
        assert deployment.HasField("price")
        usage = usage_service_pb2_grpc.UsageServiceStub(gateway.channel)
        report = await usage.GetUsage(usage_service_pb2.GetUsageRequest())
        assert (report.total.operations, report.total.unpriced_operations) == (1, 0)
        metrics = (await http_get(gateway.built.http.address, "/metrics")).text
        assert "interlingua_unpriced_calls_total{" not in metrics


async def test_administrators_put_and_end_budgets(tmp_path: Path) -> None:
    async with running(_tree(), tmp_path) as gateway:
        admin = _admin(gateway)
        wish = admin_pb2.Budget(
            id="b",
            scope=admin_pb2.BudgetScope(model="say"),
            period=MONTH,
            limit_nano_usd=5 * 10**6,
            alert_thresholds=[1.0, 0.5],
        )
        made = (await admin.PutBudget(admin_pb2.PutBudgetRequest(budget=wish))).budget
        assert made.enforcement == admin_pb2.BUDGET_ENFORCEMENT_HARD
        assert made.alert_thresholds == [0.5, 1.0]
        assert made.resets_at.ToDatetime().day == 1
        await gateway.calls.Generate(_ask(5))
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.calls.Generate(_ask(5))
        # What was spent stays spent.
        wish.limit_nano_usd = 8 * 10**6
        changed = await admin.PutBudget(admin_pb2.PutBudgetRequest(budget=wish))
        assert changed.budget.spent_nano_usd == 3 * 10**6
        await gateway.calls.Generate(_ask(5))
        assert await _spent(gateway) == {"b": 6}
        await admin.DeleteBudget(admin_pb2.DeleteBudgetRequest(id="b"))
        await gateway.calls.Generate(_ask(500))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await admin.DeleteBudget(admin_pb2.DeleteBudgetRequest(id="b"))
        assert failure.value.code() is grpc.StatusCode.NOT_FOUND
        assert _details(failure.value)["ResourceInfo"].resource_type == "budget"
        acts = [line for line in gateway.log_lines if line["logger"] == "interlingua.audit"]
        assert ("PutBudget", "budget b") in [(line["method"], line["subject"]) for line in acts]


async def test_pages(tmp_path: Path) -> None:
    rules = [_rule(name="m", per=["model"]), _rule(name="z")]
    async with running(_tree(*rules), tmp_path) as gateway:
        admin = _admin(gateway)
        for name, tenant in (("a", "x"), ("b", ""), ("c", "x")):
            scope = admin_pb2.BudgetScope(tenant_id=tenant)
            budget = admin_pb2.Budget(id=name, scope=scope, period=TOTAL, limit_nano_usd=10**9)
            await admin.PutBudget(admin_pb2.PutBudgetRequest(budget=budget))
        await gateway.calls.Generate(_ask(5))
        found: list[str] = []
        token = ""
        while True:
            request = admin_pb2.ListBudgetsRequest(page_size=2, page_token=token)
            page = await admin.ListBudgets(request)
            assert len(page.budgets) <= 2
            found += [budget.id for budget in page.budgets]
            token = page.next_page_token
            if not token:
                break
        assert found == ["a", "b", "c", "m model:say", "z"]
        own = await admin.ListBudgets(admin_pb2.ListBudgetsRequest(tenant_id="x"))
        assert [budget.id for budget in own.budgets] == ["a", "c"]


BAD = [
    ({"id": ""}, "budget.id"),
    ({"id": "Not This"}, "budget.id"),
    ({"id": "all"}, "budget.id"),
    ({"period": 0}, "budget.period"),
    ({"period": 99}, "budget.period"),
    ({"limit_nano_usd": 0}, "budget.limit_nano_usd"),
    ({"limit_nano_usd": 9 * 10**15 + 1}, "budget.limit_nano_usd"),
    ({"enforcement": 7}, "budget.enforcement"),
    ({"alert_thresholds": [0.5, 0.0]}, "budget.alert_thresholds[1]"),
    ({"alert_thresholds": [float("nan")]}, "budget.alert_thresholds[0]"),
    ({"alert_thresholds": [0.5] * 21}, "budget.alert_thresholds"),
    ({"scope": admin_pb2.BudgetScope(user="x" * 300)}, "budget.scope.user"),
]


async def test_bad_budgets(tmp_path: Path) -> None:
    async with running(_tree(_rule()), tmp_path) as gateway:
        admin = _admin(gateway)
        good = {"id": "b", "period": MONTH, "limit_nano_usd": 1}
        for fields, subject in BAD:
            budget = admin_pb2.Budget(**{**good, **fields})
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await admin.PutBudget(admin_pb2.PutBudgetRequest(budget=budget))
            assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            (violation,) = _details(failure.value)["BadRequest"].field_violations
            assert violation.field == subject
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await admin.ListBudgets(admin_pb2.ListBudgetsRequest(page_token="?"))
        assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_only_administrators(tmp_path: Path) -> None:
    tree = _tree() | {"auth": {"anonymous": ["inference", "usage"]}}
    async with running(tree, tmp_path) as gateway:
        for name in ("PutBudget", "ListBudgets", "DeleteBudget"):
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await gateway.method(name, "AdminService")(b"")
            assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_spending_and_budgets_outlive_the_gateway(tmp_path: Path) -> None:
    """On the embedded database."""
    async with running(_tree(_rule()), tmp_path) as gateway:
        budget = admin_pb2.Budget(id="b", period=TOTAL, limit_nano_usd=10**9)
        await _admin(gateway).PutBudget(admin_pb2.PutBudgetRequest(budget=budget))
        for _ in range(2):
            await gateway.calls.Generate(_ask())
        await gateway.built.ledger.finish()
    async with running(_tree(_rule()), tmp_path) as gateway:
        assert await _spent(gateway) == {"all": 6, "b": 6}
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.calls.Generate(_ask())


async def test_a_budget_reaches_the_other_gateways(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    tree = _tree() | {"database": {"url": postgres.new_database()}}
    (tmp_path / "other").mkdir()
    async with running(tree, tmp_path) as one, running(tree, tmp_path / "other") as other:
        budget = admin_pb2.Budget(id="b", period=TOTAL, limit_nano_usd=10**6)
        await _admin(one).PutBudget(admin_pb2.PutBudgetRequest(budget=budget))
        while not await _spent(other):
            pass
        with pytest.raises(grpc.aio.AioRpcError):
            await other.calls.Generate(_ask())


async def test_alerts_reach_the_webhook(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush-hush")
    arrived = asyncio.Event()

    async def answer(visit: Visit) -> bool:
        await visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        arrived.set()
        return True

    async with Upstream(answer) as upstream:
        webhook = {"url": upstream.url, "secret": f"file:{tmp_path}/secret"}
        rule = _rule(limit_usd=0.01, alert_at=[0.3, 1.0])
        async with running(_tree(rule, webhook=webhook), tmp_path) as gateway:
            for _ in range(2):
                await gateway.calls.Generate(_ask(4))
            await arrived.wait()
            log = [line for line in gateway.log_lines if line["logger"] == "interlingua.budget"]
            assert "hush-hush" not in gateway.log
    (visit,) = upstream.visits
    body = json.loads(visit.body)
    assert body.pop("at").endswith("+00:00")
    assert body == {
        "type": "budget.threshold",
        "budget": "all",
        "subject": "gateway",
        "period": "total",
        "enforcement": "hard",
        "limit_usd": "0.01",
        "threshold_usd": "0.003",
        "threshold": 0.3,
        "spent_usd": "0.003",
        "resets_at": None,
    }
    assert len(log) == 1
