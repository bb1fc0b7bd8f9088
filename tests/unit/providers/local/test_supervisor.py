"""The embedded model's process is started, watched, restarted and reaped."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import uvloop

from interlingua_gateway.core.clock import SystemClock, Timer
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.providers.local.supervisor import (
    MOST_CRASHES,
    Endpoint,
    Failed,
    Loading,
    LocalModel,
    LocalSettings,
    Ready,
)
from interlingua_gateway.providers.local.weights import PACKAGE
from tests.support.tiny_model import WIDTH, WORDS
from tests.unit.providers.local.conftest import Start

QUESTION = {"messages": [{"role": "user", "content": "red or blue?"}], "max_tokens": 12}


class InstantClock(SystemClock):
    """Sleeps take no time and are noted; timers fire at once when `hurry` is set."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.hurry = False

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return super().call_at(self.monotonic() if self.hurry else when, callback)


def client(endpoint: Endpoint, key: str | None = None) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {endpoint.api_key if key is None else key}"}
    return httpx.AsyncClient(base_url=endpoint.base_url, headers=headers, timeout=20)


def pid_of(model: LocalModel) -> int:
    assert model.pid is not None
    return model.pid


def is_gone(pidfd: int, within_s: float = 10) -> bool:
    """Whether the process ended; the kernel marks its descriptor readable then."""
    return bool(select.select([pidfd], [], [], within_s)[0])


async def test_it_chats_streams_and_embeds(start: Start) -> None:
    model = start()
    assert model.state == Loading()
    endpoint = await model.ready()
    assert model.state == Ready(endpoint)
    async with client(endpoint) as http:
        whole = (await http.post("/chat/completions", json=QUESTION)).json()
        streamed = (
            await http.post("/chat/completions", json={**QUESTION, "stream": True, "seed": 1})
        ).text
        inputs = {"input": ["red", "green"]}
        vectors = (await http.post("/embeddings", json=inputs)).json()["data"]
    assert whole["model"] == "tiny"
    assert whole["usage"]["completion_tokens"] == 12
    assert set(whole["choices"][0]["message"]["content"].split()) <= set(WORDS)
    chunks = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    assert len([text for text in texts if text]) == 12
    assert streamed.endswith("data: [DONE]\n\n")
    assert [len(vector["embedding"]) for vector in vectors] == [WIDTH, WIDTH]
    assert vectors[0]["embedding"] != vectors[1]["embedding"]


async def test_an_answer_without_a_limit_ends_at_the_settings(start: Start) -> None:
    endpoint = await start(max_output_tokens=33).ready()
    async with client(endpoint) as http:
        answer = (await http.post("/chat/completions", json={"messages": []})).json()
    assert answer["usage"]["completion_tokens"] == 33
    assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("streams", [1, 3, 7])
async def test_each_stream_has_the_whole_context(start: Start, streams: int) -> None:
    endpoint = await start(streams=streams, context_tokens=256).ready()
    prompt = {"messages": [{"role": "user", "content": "x" * 300}]}
    async with client(endpoint) as http:
        refused = await http.post("/chat/completions", json=prompt)
        embedded = await http.post("/embeddings", json={"input": "x" * 250})
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "exceed_context_size_error"
    assert refused.json()["error"]["n_ctx"] == 256
    assert embedded.status_code == 200


async def test_nobody_without_the_key_gets_in_and_nothing_shows_it(start: Start) -> None:
    model = start()
    endpoint = await model.ready()
    async with client(endpoint, key="wrong") as http:
        for path in ("/models", "/chat/completions", "/embeddings", "/../props", "/../slots"):
            assert (await http.request("POST", path, json=QUESTION)).status_code == 401, path
    assert endpoint.api_key not in repr(model.state)
    process = Path("/proc") / str(pid_of(model))
    for file in ("cmdline", "environ"):
        assert endpoint.api_key.encode() not in (process / file).read_bytes()


async def test_a_hang_up_frees_the_stream(start: Start) -> None:
    endpoint = await start(streams=1, context_tokens=4096).ready()
    endless = {**QUESTION, "max_tokens": 4000, "stream": True}
    async with client(endpoint) as http:
        async with http.stream("POST", "/chat/completions", json=endless) as response:
            await anext(response.aiter_bytes())
        answer = (await http.post("/chat/completions", json=QUESTION)).json()
    assert answer["usage"]["completion_tokens"] == 12


def test_it_lives_on_uvloop_too(tiny_weights: Path) -> None:
    async def life() -> tuple[object, object]:
        model = LocalModel(LocalSettings(weights=tiny_weights, threads=1), SystemClock())
        model.start()
        await model.ready()
        os.kill(pid_of(model), signal.SIGKILL)
        crashed = await model.next_state()
        await model.ready()
        await model.aclose()
        return crashed, model.state

    crashed, closed = uvloop.run(life())
    assert crashed == Loading("The embedded model's process ended with SIGKILL.")
    assert closed == Failed("The embedded model was closed.")


async def test_a_crash_is_seen_and_mended(start: Start) -> None:
    model = start()
    first, pid = await model.ready(), pid_of(model)
    os.kill(pid, signal.SIGKILL)
    after = await model.next_state()
    assert after == Loading("The embedded model's process ended with SIGKILL.")
    second = await model.ready()
    assert pid_of(model) != pid
    assert second.api_key != first.api_key
    async with client(second) as http:
        assert (await http.post("/chat/completions", json=QUESTION)).status_code == 200


async def test_it_gives_up_after_too_many_crashes(start: Start) -> None:
    clock = InstantClock()
    model = start(clock)
    for _ in range(MOST_CRASHES + 1):
        await model.ready()
        os.kill(pid_of(model), signal.SIGKILL)
        await model.next_state()
    assert model.state == Failed("The embedded model's process ended with SIGKILL.")
    assert clock.slept == [0.1, 0.2, 0.4, 0.8, 1.6]
    with pytest.raises(UpstreamError) as refused:
        await model.ready()
    assert refused.value.reason is Reason.UPSTREAM_UNAVAILABLE


async def test_it_gives_up_when_it_is_never_ready(start: Start) -> None:
    model = start(InstantClock(), start_timeout_s=0.0)
    with pytest.raises(UpstreamError):
        await model.ready()
    assert model.state == Failed("The embedded model was not ready after 0 s.")


async def test_close_ends_and_reaps(start: Start) -> None:
    model = start()
    await model.ready()
    pid = pid_of(model)
    await model.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert model.pid is None
    with pytest.raises(UpstreamError):
        await model.ready()


async def test_close_while_loading_ends_and_reaps(start: Start) -> None:
    model = start()
    while model.pid is None:
        await asyncio.get_running_loop().run_in_executor(None, os.sched_yield)
    pid = pid_of(model)
    await model.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs pidfd")
async def test_close_kills_a_process_that_does_not_listen(start: Start) -> None:
    clock = InstantClock()
    model = start(clock)
    await model.ready()
    pid = pid_of(model)
    os.kill(pid, signal.SIGSTOP)
    clock.hurry = True
    await model.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs pidfd")
async def test_it_dies_with_its_parent(tiny_weights: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
sys.path[:] = {sys.path!r}
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.providers.local.supervisor import LocalModel, LocalSettings

async def main():
    model = LocalModel(LocalSettings(weights=Path({str(tiny_weights)!r})), SystemClock())
    model.start()
    await model.ready()
    print(model.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = os.pidfd_open(int(await parent.stdout.readline()))
    try:
        assert not is_gone(child, within_s=0)
        parent.kill()
        await parent.wait()
        assert is_gone(child)
    finally:
        os.close(child)


async def test_a_wrong_path_fails_with_what_to_do(start: Start, tmp_path: Path) -> None:
    model = start(weights=tmp_path / "nothing.gguf")
    with pytest.raises(UpstreamError, match="doctor"):
        await model.ready()
    assert isinstance(model.state, Failed)
    assert str(tmp_path / "nothing.gguf") in model.state.reason
    assert "give the path of a GGUF file" in model.state.reason


def letter(_: Path) -> bytes:
    return b"Dear model, what is the capital of France? " * 20


def cut_off(weights: Path) -> bytes:
    return weights.read_bytes()[:-1000]


@pytest.mark.parametrize(
    ("content", "said"), [(letter, "invalid magic"), (cut_off, "not within the file bounds")]
)
async def test_a_broken_file_fails_at_once_with_the_runtimes_words(
    start: Start,
    tmp_path: Path,
    tiny_weights: Path,
    content: Callable[[Path], bytes],
    said: str,
) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(content(tiny_weights))
    clock = InstantClock()
    model = start(clock, weights=file)
    with pytest.raises(UpstreamError) as refused:
        await model.ready()
    assert isinstance(model.state, Failed)
    assert model.state.reason.startswith(f"The embedded model could not start from {file}")
    assert said in model.state.reason
    assert str(file) not in str(refused.value)
    assert clock.slept == []


async def test_the_real_model_knows_the_capital_of_france(start: Start) -> None:
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip("the packaged weights are not installed")
    endpoint = await start(weights=None, threads=None).ready()
    question = {
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "temperature": 0,
    }
    async with client(endpoint) as http:
        answer = (await http.post("/chat/completions", json=question)).json()
        vectors = (await http.post("/embeddings", json={"input": "Paris"})).json()["data"]
    assert "The capital of France is Paris" in answer["choices"][0]["message"]["content"]
    assert answer["model"] == "smollm2-135m-instruct"
    assert len(vectors[0]["embedding"]) == 576
