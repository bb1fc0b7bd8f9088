"""The end of the process: no call that was accepted is cut, and a second signal ends it at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from interlingua.v1 import gateway_service_pb2_grpc
from tests.support.failures import failure
from tests.support.gateway import scripted
from tests.support.requests import ask

Status = health_pb2.HealthCheckResponse
ROOT = Path(__file__).parents[2]
PROGRAM = "from interlingua_gateway.cli.start import main; main()"
SLOW = [{"do": "say", "text": " ".join(["word"] * 30), "pause_s": 0.02}]


class Process:
    """A gateway in a process of its own, on a Unix socket."""

    def __init__(self, child: asyncio.subprocess.Process, directory: Path) -> None:
        self.child = child
        self.channel = grpc.aio.insecure_channel(f"unix:{directory}/s")
        self.calls = gateway_service_pb2_grpc.GatewayServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.child.wait(), 20)


@contextlib.asynccontextmanager
async def process(directory: Path, **drain: float) -> AsyncIterator[Process]:
    """A gateway that serves."""
    tree = {
        **scripted(slow=SLOW, hang=[{"do": "say", "text": "x"}, {"do": "hang"}]),
        "data_dir": str(directory / "data"),
        "http": {"listen": None},
        "server": {"listen": [f"unix:{directory}/s"], "drain": drain},
    }
    file = directory / "gateway.yaml"
    file.write_text(yaml.safe_dump(tree))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "serve", "--config", str(file),
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "PYTHONPATH": f"{ROOT}/server:{ROOT}/clients/python/src",
        },
    )  # fmt: skip
    running = Process(child, directory)
    try:
        await asyncio.wait_for(running.channel.channel_ready(), 20)
        watch = running.health.Watch(health_pb2.HealthCheckRequest())
        while (await watch.read()).status != Status.SERVING:
            pass
        watch.cancel()
        yield running
    finally:
        await running.channel.close()
        if child.returncode is None:
            child.kill()
            await child.wait()


async def test_a_stream_that_was_accepted_ends_whole(tmp_path):
    async with process(tmp_path, delay_s=0.2, longest_generation_s=30, grace_s=2) as gateway:
        watch = gateway.health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == Status.SERVING
        call = gateway.calls.StreamGenerate(ask(model="slow"))
        whole = gateway.calls.Generate(ask(model="slow"))
        assert (await call.read()).WhichOneof("event") == "start"
        gateway.child.send_signal(signal.SIGTERM)
        assert (await watch.read()).status == Status.NOT_SERVING
        assert (await gateway.calls.Generate(ask("in time"))).candidates, "the delay takes calls"
        while (refusal := await refused(gateway)) is None:
            pass
        events = [event async for event in remaining(call)]
        assert events[-1].WhichOneof("event") == "completed"
        assert events[-1].completed.usage.output_tokens == 30
        assert len((await whole).candidates[0].parts[0].text.split()) == 30
        assert await gateway.ended() == 0
    assert refusal == ("SHUTTING_DOWN", grpc.StatusCode.UNAVAILABLE, 1.0)


async def refused(gateway: Process) -> tuple[str, grpc.StatusCode, float | None] | None:
    """Why a new call is refused, or None if it is still served."""
    try:
        failed = await failure(gateway.calls.Generate(ask()))
    except AssertionError:
        return None
    return failed.reason, failed.code, failed.retry_s


async def read_on(call) -> None:
    async for _ in remaining(call):
        pass


async def remaining(call):
    while (event := await call.read()) is not grpc.aio.EOF:
        yield event


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(tmp_path, second):
    async with process(tmp_path, delay_s=60, longest_generation_s=600, grace_s=30) as gateway:
        call = gateway.calls.StreamGenerate(ask(model="hang"))
        await call.read()
        watch = gateway.health.Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        gateway.child.send_signal(signal.SIGTERM)
        assert (await watch.read()).status == Status.NOT_SERVING
        gateway.child.send_signal(second)
        assert await asyncio.wait_for(gateway.ended(), 3) == 0


async def test_an_interrupt_skips_the_delay(tmp_path):
    async with process(tmp_path, delay_s=60, longest_generation_s=600, grace_s=1) as gateway:
        await gateway.calls.Generate(ask())
        gateway.child.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(gateway.ended(), 5) == 0


async def test_the_longest_generation_bounds_the_drain(tmp_path):
    async with process(tmp_path, delay_s=0, longest_generation_s=0.3, grace_s=0.2) as gateway:
        call = gateway.calls.StreamGenerate(ask(model="hang"))
        await call.read()
        gateway.child.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_on(call)
        assert caught.value.code() in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        )
        assert await gateway.ended() == 0
