"""ListModels, GetModel and the gateway's own Health."""

from __future__ import annotations

import grpc
import pytest

from interlingua.v1 import gateway_service_pb2, generate_pb2, model_service_pb2
from tests.support.failures import failure
from tests.support.gateway import scripted
from tests.support.requests import ask

List, Get = model_service_pb2.ListModelsRequest, model_service_pb2.GetModelRequest
HealthRequest = gateway_service_pb2.HealthRequest
HEALTHY = gateway_service_pb2.HEALTH_STATUS_HEALTHY
UNHEALTHY = gateway_service_pb2.HEALTH_STATUS_UNHEALTHY
UNKNOWN = gateway_service_pb2.HEALTH_STATUS_UNSPECIFIED


def model(name: str, **fields: object) -> dict[str, object]:
    target = {"provider": "stage", "model": name, "deployment": f"d-{name}"}
    return {"name": name, "targets": [target], **fields}


def tree(*models: dict[str, object]) -> dict[str, object]:
    return {"providers": {"stage": {"kind": "scripted"}}, "models": list(models)}


async def test_pages_join_to_the_whole_list(start):
    names = [f"m{i:03}" for i in range(250)]
    gateway = await start(tree(*(model(name) for name in names)))
    found, token, sizes = [], "", []
    while True:
        page = await gateway.models.ListModels(List(page_size=90, page_token=token))
        found += [m.name for m in page.models]
        sizes.append(len(page.models))
        token = page.next_page_token
        if not token:
            break
    assert found == names
    assert sizes == [90, 90, 70]
    assert len((await gateway.models.ListModels(List())).models) == 100
    whole = await gateway.models.ListModels(List(page_size=2**32 - 1))
    assert (len(whole.models), whole.next_page_token) == (250, "")


@pytest.mark.parametrize("token", ["x", "-1", "251", "9" * 5000, "٣", " 1", "1e1"])
async def test_a_page_token_of_nobody_is_refused(start, token):
    gateway = await start(tree(model("a")))
    failed = await failure(gateway.models.ListModels(List(page_token=token)))
    assert (failed.reason, failed.fields) == ("INVALID_REQUEST", ["page_token"])


async def test_models_are_chosen_by_what_they_can_do(start):
    gateway = await start(
        tree(
            model("plain", capabilities=["chat"]),
            model("able", capabilities=["chat", "tools", "json_schema"]),
            model("vectors", capabilities=["embeddings"]),
        )
    )
    chat, tools = generate_pb2.MODEL_CAPABILITY_CHAT, generate_pb2.MODEL_CAPABILITY_TOOLS
    for needed, names in (
        ([], ["plain", "able", "vectors"]),
        ([chat], ["plain", "able"]),
        ([chat, tools], ["able"]),
    ):
        answer = await gateway.models.ListModels(List(required_capabilities=needed))
        assert [m.name for m in answer.models] == names
    for bad in (0, 99):
        request = List(required_capabilities=[chat, bad])
        failed = await failure(gateway.models.ListModels(request))
        assert failed.fields == ["required_capabilities[1]"]


async def test_a_model_is_told_with_its_deployments_and_prices(start):
    entry = model("gpt", description="The one.", context_window_tokens=1000, max_output_tokens=50)
    entry["targets"][0]["price"] = {
        "input_usd_per_million": 2.5,
        "output_usd_per_million": 10,
        "cached_input_usd_per_million": 0,
    }
    entry["targets"].append({"provider": "stage", "model": "other"})
    gateway = await start(tree(entry))
    told = (await gateway.models.GetModel(Get(name="gpt"))).model
    assert (told.name, told.description, told.is_pattern) == ("gpt", "The one.", False)
    assert (told.context_window_tokens, told.max_output_tokens) == (1000, 50)
    assert not told.HasField("embedding_dimensions")
    first, second = told.deployments
    assert (first.name, first.provider, first.model) == ("d-gpt", "stage", "gpt")
    assert second.name == "stage/other"
    price = first.price
    assert price.input_nano_usd_per_million_tokens == 2_500_000_000
    assert price.output_nano_usd_per_million_tokens == 10_000_000_000
    assert price.cached_input_nano_usd_per_million_tokens == 0
    assert price.HasField("cached_input_nano_usd_per_million_tokens")
    assert not price.HasField("reasoning_nano_usd_per_million_tokens")
    assert not second.HasField("price")


async def test_a_pattern_covers_names(start):
    gateway = await start(
        {
            "providers": {"stage": {"kind": "scripted"}},
            "models": [
                {"name": "any/*", "targets": [{"provider": "stage", "model": "*"}]},
                {"name": "any/deep/*", "targets": [{"provider": "stage", "model": "deep-*"}]},
            ],
        }
    )
    told = (await gateway.models.GetModel(Get(name="any/thing"))).model
    assert (told.name, told.is_pattern) == ("any/thing", False)
    assert told.deployments[0].model == "thing"
    told = (await gateway.models.GetModel(Get(name="any/deep/sea"))).model
    assert told.deployments[0].model == "deep-sea"
    told = (await gateway.models.GetModel(Get(name="any/*"))).model
    assert (told.is_pattern, told.deployments[0].model) == (True, "*")
    answer = await gateway.calls.Generate(ask(model="any/thing"))
    assert answer.answered_by.upstream_model == "thing"
    assert answer.answered_by.model == "any/thing"
    for name in ("any/", "thing", ""):
        failed = await failure(gateway.models.GetModel(Get(name=name)))
        assert failed.reason == ("MODEL_NOT_FOUND" if name else "INVALID_REQUEST")


async def test_an_unknown_model_is_not_found(start):
    gateway = await start(tree(model("gpt")))
    failed = await failure(gateway.models.GetModel(Get(name="gtp")))
    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")
    assert failed.details["ResourceInfo"].resource_name == "gtp"


async def test_health_tells_how_the_deployments_do(start):
    gateway = await start(scripted(down=[{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}]))
    before = await gateway.calls.Health(HealthRequest())
    assert before.status == UNKNOWN
    for _ in range(3):
        await gateway.calls.Generate(ask(model="echo"))
        await failure(gateway.calls.Generate(ask(model="down")))
    health = await gateway.calls.Health(HealthRequest())
    assert health.status == HEALTHY
    assert health.version
    assert len(health.configuration_digest) == 12
    assert health.configuration_digest == before.configuration_digest
    (stage,) = health.providers
    assert (stage.name, stage.status) == ("stage", HEALTHY)
    told = {d.name: d for d in stage.deployments}
    assert (told["echo"].recent_attempts, told["echo"].success_rate) == (3, 1.0)
    assert told["echo"].HasField("latency")
    assert told["echo"].HasField("time_to_first_event")
    assert (told["down"].status, told["down"].success_rate) == (UNHEALTHY, 0.0)
    assert told["down"].last_error_reason == "ERROR_REASON_UPSTREAM_UNAVAILABLE"
    assert told["down"].last_error_at.seconds >= health.started_at.seconds
    assert not told["stage/echo"].HasField("success_rate")
    assert {d.in_flight for d in stage.deployments} == {0}
    one = await gateway.calls.Health(HealthRequest(provider="stage"))
    assert [p.name for p in one.providers] == ["stage"]
    failed = await failure(gateway.calls.Health(HealthRequest(provider="none")))
    assert (failed.reason, failed.details["ResourceInfo"].resource_type) == (
        "RESOURCE_NOT_FOUND",
        "provider",
    )


async def test_the_callers_fault_does_not_make_a_deployment_ill(start):
    gateway = await start(scripted(strict=[{"do": "fail", "reason": "INVALID_REQUEST"}]))
    await failure(gateway.calls.Generate(ask(model="strict")))
    health = await gateway.calls.Health(gateway_service_pb2.HealthRequest())
    told = {d.name: d for p in health.providers for d in p.deployments}
    assert (told["strict"].status, told["strict"].recent_attempts) == (UNKNOWN, 0)
