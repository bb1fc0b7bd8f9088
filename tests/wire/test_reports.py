"""UsageService and FeedbackService over real gRPC, on both databases."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType

import grpc
import pytest

from interlingua.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    feedback_service_pb2,
    feedback_service_pb2_grpc,
    usage_service_pb2,
    usage_service_pb2_grpc,
)
from interlingua_gateway.core.feedback import Feedback, FeedbackKind
from tests.support.databases import KINDS
from tests.support.failures import failure
from tests.support.gateway import Running, scripted
from tests.support.postgres_server import postgres_server
from tests.support.requests import ask

ADMIN = "admin-key-0123456789abcdef0123456789abcdef"
PRICE = {"input_usd_per_million": 1000, "output_usd_per_million": 2000}
BROKEN = [{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}]
INVALID, DENIED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED
USAGE, FEEDBACK = usage_service_pb2, feedback_service_pb2


class Office:
    """A gateway with the tenants acme and globex."""

    def __init__(self, gateway: Running) -> None:
        self.gateway = gateway
        self.calls = gateway.calls
        self.usage = usage_service_pb2_grpc.UsageServiceStub(gateway.channel)
        self.feedback = feedback_service_pb2_grpc.FeedbackServiceStub(gateway.channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(gateway.channel)

    async def key(self, tenant: str, project: str = "") -> tuple[tuple[str, str], ...]:
        """Metadata of a new key that may do everything but administrate."""
        scopes = [admin_service_pb2.Scope.Value(f"SCOPE_{s}") for s in SCOPES]
        await self.admin.PutTenant(
            admin_service_pb2.PutTenantRequest(tenant=admin_service_pb2.Tenant(id=tenant)),
            metadata=bearer(ADMIN),
        )
        made = await self.admin.CreateApiKey(
            admin_service_pb2.CreateApiKeyRequest(tenant_id=tenant, project=project, scopes=scopes),
            metadata=bearer(ADMIN),
        )
        return bearer(made.secret)


SCOPES = ("INFERENCE", "USAGE", "FEEDBACK")


def bearer(secret: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {secret}"),)


def tree(url: str | None, **more: object) -> dict[str, object]:
    made = scripted(tell="one two three", broken=BROKEN)
    for model in made["models"]:
        if model["name"] == "tell":
            model["targets"][0]["price"] = PRICE
    return {
        **made,
        "auth": {"admin_key": "env:ADMIN_KEY"},
        "database": {"url": url},
        "routing": {"retry": {"rounds": 1}},
        **more,
    }


@pytest.fixture(params=KINDS, name="url")
def _url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres").new_database()
    return url


@pytest.fixture(name="office")
async def _office(start, url: str | None) -> Office:
    return Office(await start(tree(url), environment={"ADMIN_KEY": ADMIN}))


async def traffic(office: Office) -> dict[str, tuple[tuple[str, str], ...]]:
    """Some calls of both tenants; their keys."""
    acme, globex = await office.key("acme", "web"), await office.key("globex")
    calls = office.calls
    for user, tags in (("ann", ["a"]), ("ann", ["a", "b"]), ("bob", [])):
        await calls.Generate(ask(model="tell", user=user, tags=tags), metadata=acme)
    await calls.Generate(ask(), metadata=acme)  # its price is not known
    stream = calls.StreamGenerate(ask(model="tell"), metadata=globex)
    assert [event async for event in stream]
    with pytest.raises(grpc.aio.AioRpcError):
        await calls.Generate(ask(model="broken"), metadata=globex)
    return {"acme": acme, "globex": globex}


async def test_usage_is_what_was_used(office: Office) -> None:
    keys = await traffic(office)
    answer = await office.usage.GetUsage(USAGE.GetUsageRequest(), metadata=keys["acme"])
    total = answer.total
    assert (total.operations, total.failed, total.cancelled) == (4, 0, 0)
    assert (total.unpriced_operations, total.usage.output_tokens > 0) == (1, True)
    tell = await office.usage.GetUsage(
        USAGE.GetUsageRequest(
            filter=USAGE.OperationFilter(model="tell"),
            group_by=[USAGE.USAGE_DIMENSION_USER],
            interval=USAGE.USAGE_INTERVAL_DAY,
        ),
        metadata=keys["acme"],
    )
    assert {tuple(g.keys): g.totals.operations for g in tell.groups} == {("ann",): 2, ("bob",): 1}
    assert [g.keys[0] for g in tell.groups] == ["ann", "bob"]
    used, cost = tell.total.usage, tell.total.cost.cost_nano_usd
    assert (
        cost
        == used.input_tokens * 1_000_000 + used.output_tokens * 2_000_000
        == (total.cost.cost_nano_usd)
    )
    tokens = used.input_tokens + used.output_tokens
    assert tell.total.cost_nano_usd_per_thousand_tokens == round(cost * 1000 / tokens)
    assert tell.total.p50_latency.ToTimedelta() <= tell.total.p99_latency.ToTimedelta()


async def test_each_sees_its_own_tenant_and_admins_all(office: Office) -> None:
    keys = await traffic(office)
    by_tenant = USAGE.GetUsageRequest(group_by=[USAGE.USAGE_DIMENSION_TENANT])
    seen = await office.usage.GetUsage(by_tenant, metadata=bearer(ADMIN))
    assert {g.keys[0]: g.totals.operations for g in seen.groups} == {"acme": 4, "globex": 2}
    globex = next(g.totals for g in seen.groups if g.keys[0] == "globex")
    assert dict(globex.failures_by_reason) == {"ERROR_REASON_UPSTREAM_UNAVAILABLE": 1}
    assert globex.HasField("mean_time_to_first_token")
    own = await office.usage.GetUsage(by_tenant, metadata=keys["globex"])
    assert [tuple(g.keys) for g in own.groups] == [("globex",)]
    for method, request in (
        (office.usage.GetUsage, USAGE.GetUsageRequest),
        (office.usage.ListOperations, USAGE.ListOperationsRequest),
        (office.usage.GetCostSummary, USAGE.GetCostSummaryRequest),
        (office.feedback.GetInsights, FEEDBACK.GetInsightsRequest),
    ):
        foreign = request(filter=USAGE.OperationFilter(tenant_id="acme"))
        refused = await failure(method(foreign, metadata=keys["globex"]))
        assert (refused.code, refused.reason) == (DENIED, "PERMISSION_DENIED")
        assert await method(foreign, metadata=keys["acme"])
        assert await method(foreign, metadata=bearer(ADMIN))
    anonymous = await office.usage.GetUsage(USAGE.GetUsageRequest())
    assert anonymous.total.operations == 0
    assert not anonymous.total.HasField("cost")


async def test_operations_come_in_pages(office: Office) -> None:
    keys = await traffic(office)
    found: list[usage_service_pb2.Operation] = []
    token = ""
    while True:
        page = await office.usage.ListOperations(
            USAGE.ListOperationsRequest(page_size=2, page_token=token), metadata=keys["acme"]
        )
        found += page.operations
        token = page.next_page_token
        if not token:
            break
    assert len(found) == 4
    assert [one.operation_id for one in found] == sorted(
        (one.operation_id for one in found), reverse=True
    )
    # Those of one millisecond come in any order.
    (newest,) = (one for one in found if not one.user)
    (second,) = (one for one in found if len(one.tags) == 2)
    assert (newest.method, newest.tenant_id, newest.project) == ("Generate", "acme", "web")
    assert newest.answered_by.model == "default"
    assert not newest.HasField("cost")
    assert newest.outcome == USAGE.OPERATION_OUTCOME_OK
    assert (second.user, sorted(second.tags)) == ("ann", ["a", "b"])
    assert second.cost.cost_nano_usd > 0
    assert [attempt.deployment for attempt in second.report.attempts] == ["tell"]
    assert second.api_key_id
    failed = await office.usage.ListOperations(
        USAGE.ListOperationsRequest(
            filter=USAGE.OperationFilter(outcome=USAGE.OPERATION_OUTCOME_FAILED)
        ),
        metadata=keys["globex"],
    )
    assert [one.error_reason for one in failed.operations] == ["ERROR_REASON_UPSTREAM_UNAVAILABLE"]


async def test_a_summary_of_costs(office: Office) -> None:
    keys = await traffic(office)
    summary = await office.usage.GetCostSummary(
        USAGE.GetCostSummaryRequest(), metadata=keys["acme"]
    )
    assert set(summary.by_model) == {"tell"}
    assert summary.by_model["tell"] == summary.by_provider["stage"] == summary.total
    assert summary.cost_nano_usd_per_thousand_tokens > 0
    assert summary.unpriced_operations == 1


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (USAGE.GetUsageRequest(group_by=[0]), "group_by[0]"),
        (USAGE.GetUsageRequest(group_by=[1, 1]), "group_by"),
        (USAGE.GetUsageRequest(group_by=[99]), "group_by[0]"),
        (USAGE.GetUsageRequest(interval=9), "interval"),
        (USAGE.GetUsageRequest(filter=USAGE.OperationFilter(outcome=9)), "filter.outcome"),
        (USAGE.GetUsageRequest(filter=USAGE.OperationFilter(tags=["t"] * 17)), "filter.tags"),
    ],
)
async def test_wrong_questions_are_told_which_field_is_wrong(start, request_, field) -> None:
    office = Office(await start(scripted()))
    told = await failure(office.usage.GetUsage(request_))
    assert (told.code, told.fields) == (INVALID, [field])


async def test_times_are_checked(start) -> None:
    office = Office(await start(scripted()))
    request = USAGE.GetUsageRequest(interval=USAGE.USAGE_INTERVAL_HOUR)
    request.time_range.start.FromSeconds(0)
    told = await failure(office.usage.GetUsage(request))
    assert told.fields == ["interval"]
    request.time_range.end.FromSeconds(-1)
    request.time_range.start.FromSeconds(5)
    assert (await failure(office.usage.GetUsage(request))).fields == ["time_range"]
    request.time_range.end.FromJsonString("9999-12-31T23:59:59Z")
    request.interval = USAGE.USAGE_INTERVAL_UNSPECIFIED
    assert (await office.usage.GetUsage(request)).total.operations == 0
    bad = USAGE.ListOperationsRequest(page_token="op_1' OR 1=1")
    assert (await failure(office.usage.ListOperations(bad))).fields == ["page_token"]


async def test_feedback_adds_up(office: Office) -> None:
    keys = await traffic(office)
    operations = (
        await office.usage.ListOperations(USAGE.ListOperationsRequest(), metadata=keys["acme"])
    ).operations
    tell = next(one for one in operations if one.answered_by.model == "tell")
    said = [
        {"rating": FEEDBACK.Rating(value=4)},
        {"rating": FEEDBACK.Rating(value=2, scale=10)},
        {"useful": True},
        {"useful": False},
        {"useful": True},
        {"correction": "Paris"},
        {"correction": " Paris\0 "},
        {"correction": "Lyon"},
        {"improvement": "shorter"},
        {"error": "not French"},
    ]
    for one in said:
        answer = await office.feedback.RecordFeedback(
            FEEDBACK.RecordFeedbackRequest(operation_id=tell.operation_id, user="eve", **one),
            metadata=keys["acme"],
        )
        assert answer.feedback_id.startswith("fb_")
        assert answer.recorded_at.seconds > 0
    # Without an operation, and on one that another tenant has.
    for tenant, about in (
        ("acme", {"query": "q"}),
        ("globex", {"operation_id": tell.operation_id}),
    ):
        await office.feedback.RecordFeedback(
            FEEDBACK.RecordFeedbackRequest(useful=True, **about), metadata=keys[tenant]
        )
    request = FEEDBACK.GetInsightsRequest(
        group_by=[USAGE.USAGE_DIMENSION_MODEL], interval=USAGE.USAGE_INTERVAL_DAY, max_corrections=1
    )
    insights = await office.feedback.GetInsights(request, metadata=keys["acme"])
    assert insights.total.feedback_count == 11
    groups = {g.keys[0]: g.insights for g in insights.groups}
    assert {model: group.feedback_count for model, group in groups.items()} == {"tell": 10, "": 1}
    about = groups["tell"]
    assert about.average_rating == pytest.approx(0.5)
    assert about.useful_rate == pytest.approx(2 / 3)
    assert [(c.text, c.count) for c in about.common_corrections] == [("Paris", 2)]
    assert (about.error_count, about.improvement_count) == (1, 1)
    assert not groups[""].HasField("average_rating")

    everybody = await office.feedback.GetInsights(
        FEEDBACK.GetInsightsRequest(group_by=[USAGE.USAGE_DIMENSION_TENANT]),
        metadata=bearer(ADMIN),
    )
    assert {g.keys[0]: g.insights.feedback_count for g in everybody.groups} == {
        "acme": 11,
        "globex": 1,
    }
    of_model = await office.feedback.GetInsights(
        FEEDBACK.GetInsightsRequest(filter=USAGE.OperationFilter(model="tell")),
        metadata=bearer(ADMIN),
    )
    assert of_model.total.feedback_count == 10


async def test_feedback_survives_an_outage_of_the_database(start) -> None:
    with postgres_server() as server:
        office = Office(await start(tree(server.new_database()), environment={"ADMIN_KEY": ADMIN}))
        answer = await office.calls.Generate(ask(model="tell"))
        assert (await office.usage.GetUsage(USAGE.GetUsageRequest())).total.operations == 1
        server.stop()
        about = {"operation_id": answer.operation_id}
        await office.feedback.RecordFeedback(FEEDBACK.RecordFeedbackRequest(useful=True, **about))
        for call in (
            office.feedback.GetInsights(FEEDBACK.GetInsightsRequest()),
            office.usage.GetUsage(USAGE.GetUsageRequest()),
        ):
            told = await failure(call)
            assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
            assert told.retry_s
        server.start()
        insights = await office.feedback.GetInsights(
            FEEDBACK.GetInsightsRequest(filter=USAGE.OperationFilter(model="tell"))
        )
        assert (insights.total.feedback_count, insights.total.useful_rate) == (1, 1)


OK = "op_" + "0" * 24


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"operation_id": OK}, "feedback"),
        ({"useful": True}, "operation_id"),
        ({"useful": True, "operation_id": "op_1"}, "operation_id"),
        ({"operation_id": OK, "correction": " "}, "correction"),
        ({"operation_id": OK, "error": "x" * 16_385}, "error"),
        ({"operation_id": OK, "rating": FEEDBACK.Rating(value=6)}, "rating.value"),
        ({"operation_id": OK, "rating": FEEDBACK.Rating(value=float("nan"))}, "rating.value"),
        ({"operation_id": OK, "rating": FEEDBACK.Rating(value=1, scale=-1)}, "rating.scale"),
        (
            {"operation_id": OK, "rating": FEEDBACK.Rating(value=1, scale=float("inf"))},
            "rating.scale",
        ),
        ({"operation_id": OK, "useful": True, "user": "u" * 257}, "user"),
        ({"operation_id": OK, "useful": True, "metadata": {"k": "v" * 513}}, "metadata[k]"),
        ({"operation_id": OK, "useful": True, "metadata": {"k" * 65: ""}}, "metadata"),
        (
            {
                "operation_id": OK,
                "useful": True,
                "metadata": dict.fromkeys(map(str, range(33)), ""),
            },
            "metadata",
        ),
    ],
)
async def test_wrong_feedback_is_told_which_field_is_wrong(start, wrong, field) -> None:
    office = Office(await start(scripted()))
    told = await failure(office.feedback.RecordFeedback(FEEDBACK.RecordFeedbackRequest(**wrong)))
    assert (told.code, told.fields) == (INVALID, [field])


async def test_processors_get_feedback_and_harm_nobody(start, monkeypatch) -> None:
    seen: list[Feedback] = []
    done = asyncio.Event()

    def broken(feedback: Feedback) -> None:
        raise RuntimeError("a processor's own fault")

    async def keep(feedback: Feedback) -> None:
        seen.append(feedback)
        if len(seen) == 2:
            done.set()

    module = ModuleType("our_team")
    module.__dict__.update(broken=broken, keep=keep)
    monkeypatch.setitem(sys.modules, "our_team", module)
    office = Office(
        await start(
            {**scripted(), "feedback": {"processors": ["our_team:broken", "our_team:keep"]}}
        )
    )
    for useful in (True, False):
        await office.feedback.RecordFeedback(
            FEEDBACK.RecordFeedbackRequest(operation_id=OK, useful=useful, query="secret plan")
        )
    async with asyncio.timeout(5):
        await done.wait()
    assert [(one.kind, one.useful, one.query) for one in seen] == [
        (FeedbackKind.USEFUL, True, ""),
        (FeedbackKind.USEFUL, False, ""),
    ]
    (line, _) = [x for x in office.gateway.log_lines if x["logger"] == "interlingua.feedback"]
    assert line["feedback_id"] == seen[0].id


async def test_without_a_ledger_feedback_is_refused(start) -> None:
    office = Office(await start({**scripted(), "ledger": {"enabled": False}}))
    told = await failure(
        office.feedback.RecordFeedback(FEEDBACK.RecordFeedbackRequest(operation_id=OK, useful=True))
    )
    assert (told.code, told.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")
