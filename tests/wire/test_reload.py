"""Another configuration is put in force while calls run: none is dropped, nothing is forgotten."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path

import grpc
import psutil
import pytest

from interlingua_gateway.app.parts import Parts
from tests.support.calls import until
from tests.support.failures import failure
from tests.support.gateway import Running, Tree, write
from tests.support.manual_clock import ManualClock
from tests.support.reloads import ADMIN, stage, text_of
from tests.support.requests import ask
from tests.support.tiny_model import write_tiny_model
from tests.support.upstream import LAST_CHUNK, STREAM_HEAD, Upstream, Visit, sse, whole

STALLED = [{"do": "say", "text": "one two"}, {"do": "hang"}]


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


async def test_a_provider_stays_while_any_of_several_configurations_uses_it(begin):
    place = Place("here")
    async with place.upstream:
        reload = await begin(at(place), environment={"UP_KEY": "key"})
        calls = []
        for number in range(3):
            calls.append(asyncio.ensure_future(streamed(reload.gateway)))
            await until(lambda: len(place.keys) == len(calls))
            tree = at(place)
            tree["models"][0]["aliases"] = [f"other-{number}"]
            await reload(tree)
        assert len(reload.gateway.built.former) == 3
        place.go.set()
        assert await asyncio.gather(*calls) == ["here!"] * 3
        await reload.retired()
        assert place.upstream.open == 3
        assert await streamed(reload.gateway) == "here!"
        assert place.upstream.connections == 3


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
            kinds = [type(one) for one in gc.get_objects()]
            ours = sum(str(kind.__module__).startswith("interlingua_gateway.") for kind in kinds)
            return kinds.count(Parts), ours, len(asyncio.all_tasks()), process.num_fds()

        for _ in range(10):
            await twice()
        parts, objects, *before = await held()
        for _ in range(50):
            await twice()
        parts_after, objects_after, *after = await held()
        assert (parts, parts_after, after) == (1, 1, before)
        assert objects_after <= objects + 5
        assert first.upstream.open == 1
