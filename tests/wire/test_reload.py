"""Another configuration is put in force while calls run: none is dropped, nothing is forgotten."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Mapping
from pathlib import Path

import grpc
import psutil
import pytest

from interlingua.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    gateway_service_pb2,
    generate_pb2,
    model_service_pb2,
)
from interlingua_gateway.app.parts import Parts
from tests.support.calls import until
from tests.support.failures import failure
from tests.support.gateway import Running, Tree, write
from tests.support.http_get import http_get
from tests.support.manual_clock import ManualClock
from tests.support.requests import ask
from tests.support.tiny_model import write_tiny_model
from tests.support.upstream import LAST_CHUNK, STREAM_HEAD, Upstream, Visit, sse, whole

ADMIN = {"anonymous": ["inference", "admin"]}
PRICE = {"input_usd_per_million": 0, "output_usd_per_million": 1000}
STALLED = [{"do": "say", "text": "one two"}, {"do": "hang"}]
BROKEN = [{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}]


class Reloads:
    """A gateway whose file can be written anew."""

    def __init__(self, gateway: Running, directory: Path) -> None:
        self.gateway = gateway
        self.directory = directory
        self.admin = admin_service_pb2_grpc.AdminServiceStub(gateway.channel)

    async def __call__(
        self, tree: Tree, *, dry_run: bool = False
    ) -> admin_service_pb2.ReloadConfigResponse:
        """Write `tree` and have it read."""
        write({"auth": ADMIN, **tree}, self.directory)
        return await self.again(dry_run=dry_run)

    async def again(self, *, dry_run: bool = False) -> admin_service_pb2.ReloadConfigResponse:
        """Have the file read."""
        return await self.admin.ReloadConfig(admin_service_pb2.ReloadConfigRequest(dry_run=dry_run))

    async def metrics(self) -> str:
        assert self.gateway.built.http is not None
        return (await http_get(self.gateway.built.http.address, "/metrics")).text

    async def health(self) -> gateway_service_pb2.HealthResponse:
        return await self.gateway.calls.Health(gateway_service_pb2.HealthRequest())

    async def retired(self) -> None:
        """Wait until no former configuration is left."""
        await until(lambda: not self.gateway.built.former)


@pytest.fixture
def begin(start, tmp_path):
    async def begun(tree: Tree, **options: object) -> Reloads:
        return Reloads(await start({"auth": ADMIN, **tree}, **options), tmp_path / "0")

    return begun


def stage(*models: str, scripts: Mapping[str, object] = {}, **tree: object) -> dict[str, object]:
    """A scripted provider with `models`, deployments of the same names; the first is `default`."""
    entries = [
        {"name": name, "targets": [{"provider": "stage", "model": name, "deployment": name}]}
        for name in models
    ]
    entries[0]["aliases"] = ["default"]
    return {
        "providers": {"stage": {"kind": "scripted", "script": dict(scripts)}},
        "models": entries,
        **tree,
    }


def text_of(answer: generate_pb2.GenerateResponse) -> str:
    return answer.candidates[0].parts[0].text


class Place:
    """An OpenAI-compatible upstream that says its name; streams go on when `go` is set."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.go = asyncio.Event()
        self.keys: list[str] = []
        self.upstream = Upstream(self._answer)

    async def _answer(self, visit: Visit) -> bool:
        self.keys.append(visit.headers["authorization"])
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        message = {"role": "assistant", "content": self.name}
        if b'"stream":true' not in visit.body:
            await self.go.wait()
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            answer = {"id": "x", "model": "m", "choices": choices, "usage": usage}
            await visit.send(whole(json.dumps(answer).encode()))
            return True
        first = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": message}]}
        await visit.send(STREAM_HEAD + sse(json.dumps(first).encode()))
        await self.go.wait()
        last = [{"index": 0, "delta": {"content": "!"}, "finish_reason": "stop"}]
        end = {"id": "x", "model": "m", "choices": last, "usage": usage}
        await visit.send(sse(json.dumps(end).encode(), b"[DONE]") + LAST_CHUNK)
        return True


def at(place: Place, key: str = "env:UP_KEY") -> dict[str, object]:
    return {
        "providers": {
            "up": {"kind": "openai", "base_url": place.upstream.url, "api_key": key},
            "stage": {"kind": "scripted"},
        },
        "models": [
            {"name": "default", "targets": [{"provider": "up", "model": "m", "deployment": "up"}]},
            {"name": "echo", "targets": [{"provider": "stage", "model": "echo"}]},
        ],
    }


async def streamed(gateway: Running, begun: asyncio.Event | None = None) -> str:
    text, ended = "", False
    async for event in gateway.calls.StreamGenerate(ask()):
        kind = event.WhichOneof("event")
        text += event.text_delta if kind == "text_delta" else ""
        ended = kind == "completed"
        if text and begun is not None:
            begun.set()
    assert ended
    return text


class Load:
    """Twenty callers, each with one call after the other of a model that no reload changes."""

    def __init__(self, gateway: Running) -> None:
        self.answers = 0
        self._gateway = gateway
        self._on = True
        self._callers = [asyncio.ensure_future(self._call()) for _ in range(20)]

    async def _call(self) -> None:
        while self._on:
            answer = await self._gateway.calls.Generate(ask("x", model="echo"))
            assert text_of(answer) == "x"
            self.answers += 1

    async def more(self) -> None:
        """Wait until a hundred more calls are answered."""
        enough = self.answers + 100
        await until(lambda: self.answers >= enough or any(one.done() for one in self._callers))

    async def end(self) -> None:
        """Call no more; none may have failed."""
        self._on = False
        await asyncio.gather(*self._callers)


@pytest.mark.timeout(60)
async def test_no_call_is_dropped_and_none_changes_its_place(begin):
    old, new = Place("old"), Place("new")
    new.go.set()
    async with old.upstream, new.upstream:
        reload = await begin(at(old), environment={"UP_KEY": "first-key"})
        gateway = reload.gateway
        begun = [asyncio.Event() for _ in range(100)]
        streams = [asyncio.ensure_future(streamed(gateway, event)) for event in begun]
        wholes = [asyncio.ensure_future(gateway.calls.Generate(ask())) for _ in range(100)]
        await asyncio.gather(*(event.wait() for event in begun))
        await until(lambda: len(old.upstream.visits) == 200)
        load = Load(gateway)
        await load.more()
        changes = (await reload(at(new))).changes
        assert [change.partition(":")[0] for change in changes] == ["providers.up.base_url"]
        await load.more()
        assert text_of(await gateway.calls.Generate(ask())) == "new"
        assert await streamed(gateway) == "new!"
        assert not any(call.done() for call in (*streams, *wholes))
        assert len(gateway.built.former) == 1
        old.go.set()
        assert set(await asyncio.gather(*streams)) == {"old!"}
        assert {text_of(answer) for answer in await asyncio.gather(*wholes)} == {"old"}
        await load.end()
        await asyncio.wait_for(old.upstream.none_open(), 5)
        await reload.retired()
        assert new.upstream.open


async def test_a_new_key_is_for_new_calls(begin, tmp_path):
    place = Place("here")
    secret = tmp_path / "secret"
    secret.write_text("first-secret")
    async with place.upstream:
        reload = await begin(at(place, f"file:{secret}"))
        before = asyncio.ensure_future(streamed(reload.gateway))
        await until(lambda: place.keys)
        secret.write_text("second-secret")
        answer = await reload.again()
        assert list(answer.changes) == ["providers.up.api_key: another secret"]
        after = asyncio.ensure_future(streamed(reload.gateway))
        await until(lambda: len(place.keys) == 2)
        place.go.set()
        assert await before == await after == "here!"
    assert place.keys == ["Bearer first-secret", "Bearer second-secret"]
    assert "first-secret" not in reload.gateway.log
    assert "second-secret" not in reload.gateway.log


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


async def test_who_waits_is_served_before_whoever_comes_later(begin):
    def narrow(*models: str) -> Tree:
        rule = {"name": "one", "concurrent_requests": 1}
        limits = {"rules": [rule], "queue": {"max_waiting": 9}}
        return stage(*models, limits=limits, scripts={"stalled": STALLED})

    reload = await begin(narrow("echo", "stalled"))
    calls = reload.gateway.calls
    holding = calls.StreamGenerate(ask(model="stalled"))
    await holding.read()
    early = asyncio.ensure_future(calls.Generate(ask("early")))
    await until(lambda: reload.gateway.built.limits.waiting)
    await reload(narrow("echo", "stalled", "more"))
    late = asyncio.ensure_future(calls.Generate(ask("late", model="more")))
    await until(lambda: reload.gateway.built.limits.waiting)
    late.add_done_callback(lambda _: ended.append("late"))
    early.add_done_callback(lambda _: ended.append("early"))
    ended: list[str] = []
    holding.cancel()
    await asyncio.gather(early, late)
    assert ended == ["early", "late"]
    await reload.retired()


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


async def test_an_operation_is_one_across_a_reload(begin):
    place = Place("here")
    async with place.upstream:
        reload = await begin(at(place), environment={"UP_KEY": "key"})
        request = ask(idempotency_key="k")
        first = asyncio.ensure_future(reload.gateway.calls.Generate(request))
        await until(lambda: place.upstream.visits)
        tree = at(place)
        tree["models"][0]["aliases"] = ["other"]
        await reload(tree)
        second = asyncio.ensure_future(reload.gateway.calls.Generate(request))
        await until(lambda: reload.gateway.in_flight == 2)
        first.cancel()
        await until(lambda: reload.gateway.in_flight == 1)
        assert reload.gateway.built.former, "the second still reads what the first has asked"
        place.go.set()
        assert text_of(await second) == "here"
        assert len(place.upstream.visits) == 1
        await reload.retired()


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


async def test_reloads_come_one_after_the_other(begin):
    reload = await begin(stage("echo"))
    write({"auth": ADMIN, **stage("echo", "more")}, reload.directory)
    answers = await asyncio.gather(*(reload.again() for _ in range(5)))
    assert sorted(len(answer.changes) for answer in answers) == [0, 0, 0, 0, 1]
    assert len({answer.configuration_digest for answer in answers}) == 1


async def test_a_gateway_that_is_about_to_stop_refuses(begin):
    reload = await begin(stage("echo"))
    reload.gateway.built.draining = True
    failed = await failure(reload(stage("echo", "more")))
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")


async def test_a_call_without_an_end_is_cut_at_last(begin, clock: ManualClock):
    reload = await begin(stage("stalled", scripts={"stalled": STALLED}), clock=clock)
    stream = reload.gateway.calls.StreamGenerate(ask())
    while (await stream.read()).WhichOneof("event") != "text_delta":
        pass
    await reload(stage("stalled", scripts={"stalled": STALLED, "other": STALLED}))
    await clock.until_waiting(1, (599.0, 600.0))
    clock.advance(600.0)
    assert (await failure(stream)).code is not grpc.StatusCode.OK
    await reload.retired()


async def test_an_embedded_model_stays_and_one_that_fails_changes_nothing(begin, tmp_path):
    weights = write_tiny_model(tmp_path / "tiny.gguf")

    def local(path: Path, *aliases: str) -> Tree:
        targets = [{"provider": "local", "model": "m"}]
        return {
            "providers": {"local": {"kind": "local", "local": {"model_path": str(path)}}},
            "models": [{"name": "default", "aliases": list(aliases), "targets": targets}],
        }

    reload = await begin(local(weights))
    model = reload.gateway.built.providers["local"].model
    pid = model.pid
    await reload(local(weights, "other"))
    await reload.retired()
    assert (reload.gateway.built.providers["local"].model, model.pid) == (model, pid)
    bad = tmp_path / "bad.gguf"
    bad.write_text("no model")
    failed = await failure(reload(local(bad, "other")))
    assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "nobody" not in failed.message
    assert (model.pid, reload.gateway.built.former) == (pid, [])
    assert psutil.pid_exists(pid)


@pytest.mark.timeout(60)
async def test_a_hundred_reloads_leave_nothing_behind(begin):
    first, second = Place("first"), Place("second")
    first.go.set()
    second.go.set()
    async with first.upstream, second.upstream:
        quiet = {
            "telemetry": {"log_format": "json", "log_level": "error"},
            "ledger": {"enabled": False},
        }
        reload = await begin({**at(first), **quiet}, environment={"UP_KEY": "key"})
        process = psutil.Process()

        async def twice() -> None:
            for place in (second, first):
                await reload({**at(place), **quiet})
                assert await streamed(reload.gateway) == f"{place.name}!"

        async def held() -> tuple[int, int, int, int]:
            await reload.retired()
            await second.upstream.none_open()
            gc.collect()
            objects = gc.get_objects()
            parts = sum(isinstance(one, Parts) for one in objects)
            return parts, len(asyncio.all_tasks()), process.num_fds(), len(objects)

        for _ in range(10):
            await twice()
        *before, objects = await held()
        for _ in range(50):
            await twice()
        first.upstream.visits.clear()
        second.upstream.visits.clear()
        *after, objects_after = await held()
        assert after == before
        assert objects_after < objects + 500
        assert (before[0], first.upstream.open) == (1, 1)
