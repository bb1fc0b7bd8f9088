"""What a reload takes over, what it changes, and what it refuses."""

from __future__ import annotations

import grpc

from interlingua.v1 import (
    admin_service_pb2,
    gateway_service_pb2,
    generate_pb2,
    model_service_pb2,
)
from tests.support.credentials import bearer
from tests.support.failures import failure
from tests.support.gateway import Tree
from tests.support.identity_provider import IdentityProvider
from tests.support.manual_clock import ManualClock
from tests.support.redis_server import redis_server
from tests.support.reloads import stage, text_of
from tests.support.requests import ask

PRICE = {"input_usd_per_million": 0, "output_usd_per_million": 1000}
BROKEN = [{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}]


async def test_models_come_and_go(begin):
    reload = await begin(stage("echo", "old"))
    calls, models = reload.gateway.calls, reload.gateway.models
    before = await reload.health()
    answer = await reload(stage("echo", "new"))
    assert list(answer.changes) == ["models[old]: removed", "models[new]: added"]
    assert (await failure(calls.Generate(ask(model="old")))).code is grpc.StatusCode.NOT_FOUND
    assert (await calls.Generate(ask(model="new"))).answered_by.deployment == "new"
    listed = await models.ListModels(model_service_pb2.ListModelsRequest())
    assert {model.name for model in listed.models} == {"echo", "default", "new"}
    after = await reload.health()
    assert after.configuration_digest == answer.configuration_digest
    assert after.configuration_digest != before.configuration_digest
    assert after.started_at == before.started_at
    again = await reload.again()
    assert (again.configuration_digest, list(again.changes)) == (answer.configuration_digest, [])


async def test_an_invalid_file_changes_nothing(begin):
    reload = await begin(stage("echo"))
    digest = (await reload.health()).configuration_digest
    tree = stage("echo", limits={"rules": [{"name": "a", "requests_per_minute": 0}]})
    tree["models"][0]["targets"][0]["provider"] = "nobody"
    failed = await failure(reload(tree))
    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert failed.fields == ["limits.rules[0].requests_per_minute", "models[0].targets[0].provider"]
    (first, _) = failed.details["BadRequest"].field_violations
    assert f"{reload.directory}/interlingua.yaml:" in first.description
    assert (await reload.gateway.calls.Generate(ask())).candidates
    assert (await reload.health()).configuration_digest == digest
    assert not reload.gateway.built.former
    (line,) = [x for x in reload.gateway.log_lines if x["message"] == "configuration not reloaded"]
    assert (line["level"], line["digest"]) == ("error", digest)


async def test_of_many_problems_as_many_are_told_as_fit(begin):
    reload = await begin(stage("echo"))
    names = [f"{'long' * 100}-{number}" for number in range(50)]
    tree = stage("echo", *names)
    for model in tree["models"][1:]:
        model["targets"][0]["provider"] = "nobody" * 50
    failed = await failure(reload(tree))
    assert len(failed.fields) == 8
    assert "50 problems" in failed.message


async def test_what_needs_a_restart_is_named_and_nothing_changes(begin):
    reload = await begin(stage("echo"))
    server = {"max_concurrent_calls": 7}
    tree = stage("echo", "more", server=server, cache={"max_bytes": 2**20}, http={"listen": None})
    failed = await failure(reload(tree))
    assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failed.fields == ["server.max_concurrent_calls", "cache.max_bytes"]
    assert (await failure(reload.gateway.calls.Generate(ask(model="more")))).reason
    # Whatever else is beside it in those sections may change.
    answer = await reload(stage("echo", cache={"idempotency_ttl_s": 5}, telemetry={
        "log_format": "json", "log_level": "warning",
    }))  # fmt: skip
    assert len(answer.changes) == 2


async def test_a_dry_run_says_what_would_change(begin):
    reload = await begin(stage("echo"))
    digest = (await reload.health()).configuration_digest
    answer = await reload(stage("echo", "more"), dry_run=True)
    assert list(answer.changes) == ["models[more]: added"]
    assert answer.configuration_digest == digest
    assert (await failure(reload.gateway.calls.Generate(ask(model="more")))).reason
    wrong = stage("echo")
    wrong["models"] = "none"
    assert (await failure(reload(wrong, dry_run=True))).fields == ["models"]


async def test_certificates_that_cannot_be_read_change_nothing(begin, tmp_path):
    reload = await begin(stage("echo"))
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    tree = stage("echo")
    tree["providers"]["other"] = {"kind": "vllm", "base_url": "https://x", "ca_file": str(bad)}
    failed = await failure(reload(tree))
    assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert str(bad) in failed.message
    assert (await reload.gateway.calls.Generate(ask())).candidates


async def test_a_limit_is_not_refilled(begin, clock: ManualClock):
    def limited(burst: int) -> Tree:
        rule = {"name": "team", "requests_per_minute": 60, "burst_requests": burst}
        return stage("echo", limits={"rules": [rule]})

    reload = await begin(limited(2), clock=clock)
    calls = reload.gateway.calls
    for _ in range(2):
        await calls.Generate(ask())
    answer = await reload(limited(3))
    assert list(answer.changes) == ["limits.rules[team].burst_requests: 2 -> 3"]
    await calls.Generate(ask())
    assert (await failure(calls.Generate(ask()))).reason == "RATE_LIMITED"


async def test_what_was_spent_stays_spent(begin):
    def budgeted(limit_usd: float, *names: str) -> Tree:
        rules = [{"name": name, "period": "total", "limit_usd": limit_usd} for name in names]
        tree = stage("say", scripts={"say": [{"do": "say", "text": "one two three"}]})
        tree["models"][0]["targets"][0]["price"] = PRICE
        return {**tree, "budgets": {"rules": rules}}

    async def spent() -> dict[str, int]:
        page = await reload.admin.ListBudgets(admin_service_pb2.ListBudgetsRequest())
        return {budget.id: budget.spent_nano_usd // 10**6 for budget in page.budgets}

    request = ask(sampling=generate_pb2.SamplingOptions(max_output_tokens=5))
    reload = await begin(budgeted(0.006, "all"))
    await reload.gateway.calls.Generate(request)
    assert await spent() == {"all": 3}
    await reload(budgeted(0.007, "all"))
    assert await spent() == {"all": 3}
    assert (await failure(reload.gateway.calls.Generate(request))).reason == "BUDGET_EXCEEDED"
    # A new budget knows from the ledger what was spent before it.
    await reload.gateway.built.ledger.settled()
    await reload(budgeted(0.007, "all", "new"))
    assert await spent() == {"all": 3, "new": 3}
    await reload(budgeted(0.008, "all", "new"))
    await reload.gateway.calls.Generate(request)
    assert await spent() == {"all": 6, "new": 6}


async def test_what_is_known_of_a_deployment_stays_unless_its_provider_changes(begin):
    breaker = {"failures": 1, "cooldown_s": 600, "max_cooldown_s": 600}

    def tree(*models: str, **provider: object) -> Tree:
        found = stage(*models, scripts={"broken": BROKEN, **provider})
        return {**found, "routing": {"breaker": breaker, "retry": {"rounds": 1}}}

    async def broken() -> gateway_service_pb2.DeploymentHealth:
        health = await reload.health()
        (found,) = [d for d in health.providers[0].deployments if d.name == "broken"]
        return found

    reload = await begin({**tree("echo", "broken"), "http": {"listen": "127.0.0.1:0"}})
    assert (await failure(reload.gateway.calls.Generate(ask(model="broken")))).reason
    before = await broken()
    assert before.breaker_state == gateway_service_pb2.BREAKER_STATE_OPEN
    more = {**tree("echo", "broken", "more"), "http": {"listen": "127.0.0.1:0"}}
    await reload(more)
    assert await broken() == before
    gauge = 'interlingua_upstream_breaker_state{deployment="broken",provider="stage"}'
    counter = 'attempts_total{deployment="broken",outcome="failed",provider="stage"} 1.0'
    assert f"{gauge} 2.0" in await reload.metrics()
    await reload({**tree("echo", "broken", other=BROKEN), "http": {"listen": "127.0.0.1:0"}})
    assert (await broken()).breaker_state == gateway_service_pb2.BREAKER_STATE_CLOSED
    assert f"{gauge} 0.0" in await reload.metrics()
    await reload({**tree("echo"), "http": {"listen": "127.0.0.1:0"}})
    await reload.retired()
    metrics = await reload.metrics()
    assert gauge not in metrics
    assert counter in metrics
    assert 'interlingua_config_reloads_total{outcome="reloaded"} 3.0' in metrics


async def test_kept_answers_stay_while_their_alias_does(begin):
    def cached(text: str, *more: str) -> Tree:
        tree = stage("say", *more, scripts={"say": [{"do": "say", "text": text}]})
        tree["models"][0]["cache"] = {}
        return tree

    async def status() -> tuple[str, int]:
        answer = await reload.gateway.calls.Generate(ask())
        return text_of(answer), answer.report.cache_status

    reload = await begin(cached("first"))
    _, missed = await status()
    _, hit = await status()
    assert missed != hit
    await reload(cached("first", "more"))
    assert await status() == ("first", hit)
    await reload(cached("second", "more"))
    assert await status() == ("second", missed)


async def test_callers_are_known_by_the_new_rules(begin):
    environment = {"ADMIN": "a" * 40}
    reload = await begin(stage("echo"), environment=environment)
    await reload(stage("echo", auth={"anonymous": ["inference"], "admin_key": "env:ADMIN"}))
    assert (await failure(reload.again())).reason == "CREDENTIALS_MISSING"
    request = admin_service_pb2.ReloadConfigRequest()
    metadata = (("authorization", f"Bearer {'a' * 40}"),)
    assert await reload.admin.ReloadConfig(request, metadata=metadata)
    (line,) = [x for x in reload.gateway.log_lines if x.get("by") == "admin_key admin"]
    digest = (await reload.health()).configuration_digest
    assert line["subject"] == f"configuration:{digest}->{digest}"


async def test_an_identity_provider_that_stays_is_not_asked_again(begin, clock: ManualClock):
    async with IdentityProvider("ec-1") as kept, IdentityProvider("ec-2") as other:

        def trusting(audience: str, *more: IdentityProvider) -> Tree:
            jwt = [
                {"issuer": one.issuer, "audiences": [name], "tenant": "acme"}
                for one, name in ((kept, "interlingua"), *((one, audience) for one in more))
            ]
            return {"auth": {"anonymous": ["admin"], "jwt": jwt}}

        async def served(provider: IdentityProvider, by: str, **claims: object) -> None:
            metadata = bearer(provider.token(by, **claims))
            assert (await reload.gateway.calls.Generate(ask(), metadata=metadata)).candidates

        async def refused(provider: IdentityProvider, by: str, **claims: object) -> None:
            metadata = bearer(provider.token(by, **claims))
            failed = await failure(reload.gateway.calls.Generate(ask(), metadata=metadata))
            assert failed.code is grpc.StatusCode.UNAUTHENTICATED

        reload = await begin({**stage("echo"), **trusting("one", other)}, clock=clock)
        await served(kept, "ec-1")
        await served(other, "ec-2", aud="one")
        kept.down = True
        await reload({**stage("echo"), **trusting("two", other)})
        await served(kept, "ec-1")
        await refused(other, "ec-2", aud="one")
        await served(other, "ec-2", aud="two")
        await reload({**stage("echo"), **trusting("two")})
        await refused(other, "ec-2", aud="two")
        await served(kept, "ec-1")


async def test_limits_may_begin_in_redis(begin):
    with redis_server() as server:

        def limited(*rules: Tree, **limits: object) -> Tree:
            redis = {"url": server.url, "timeout_s": 5}
            return stage("echo", redis=redis, limits={"rules": list(rules), **limits})

        reload = await begin(limited())
        calls = reload.gateway.calls
        rule = {"name": "team", "requests_per_minute": 1, "burst_requests": 2}
        await reload(limited(rule))
        for _ in range(2):
            await calls.Generate(ask())
        await reload(limited({**rule, "burst_requests": 1}, when_redis_is_down="closed"))
        assert (await failure(calls.Generate(ask()))).reason == "RATE_LIMITED"
        server.kill()
        assert (await failure(calls.Generate(ask()))).reason == "OVERLOADED"
        await reload(limited(rule, when_redis_is_down="open"))
        assert (await calls.Generate(ask())).candidates
