"""Build and start what takes part, and wait until it serves."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2
from processes import LOAD_CORE, SERVER_CORE, pinned, sample
from subjects import BENCH, Place, Subject

BUILD = BENCH / "build"
START_LIMIT_S, SETTLE_LIMIT_S = 60, 10
Figures = dict[str, float]


class Failed(Exception):
    """A subject did not do what it was measured for."""


@dataclass(frozen=True)
class Mock:
    """The running mock upstream."""

    process: subprocess.Popen[str]
    port: int

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def connections(self) -> int:
        """Connections open at it, without the one that asks."""
        return int(json.loads(get(self.port, "/stats")[1])["connections"]) - 1


@dataclass(frozen=True)
class Started:
    """A subject that serves, and how its start went."""

    subject: Subject
    place: Place
    process: subprocess.Popen[str]
    start: Figures

    @property
    def pid(self) -> int:
        """The root of its process tree."""
        return self.process.pid

    @property
    def dead(self) -> bool:
        """Whether it has ended by itself."""
        return self.process.poll() is not None


def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET on loopback."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()


def build() -> None:
    """Compile the mock upstream and the load generator."""
    BUILD.mkdir(exist_ok=True)
    mock, source = BUILD / "mock", BENCH / "upstream" / "mock.c"
    subprocess.run(["gcc", "-O2", "-Wall", "-o", str(mock), str(source)], check=True)
    subprocess.run(["go", "build", "-o", str(BUILD / "load"), "."], cwd=BENCH / "load", check=True)


@contextlib.contextmanager
def mock_upstream() -> Iterator[Mock]:
    """The mock upstream on the load's core."""
    with pinned([str(BUILD / "mock")], LOAD_CORE) as process:
        assert process.stdout is not None
        yield Mock(process, int(process.stdout.readline()))


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def serving(subject: Subject, port: int) -> bool:
    """Whether the subject says that it serves, now."""
    with contextlib.suppress(OSError, http.client.HTTPException, grpc.RpcError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        if subject.protocol == "http":
            return get(port, subject.ready)[0] == http.client.OK
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = check(health_pb2.HealthCheckRequest(), timeout=5)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
    return False


def settle(pid: int) -> None:
    """Wait until the server has put down what the last load left it, within bounds."""
    until = time.monotonic() + SETTLE_LIMIT_S
    while time.monotonic() < until:
        before = sample(pid).cpu_s
        time.sleep(0.1)
        if sample(pid).cpu_s - before < 0.02:
            return


@contextlib.contextmanager
def started(subject: Subject, mock: Mock) -> Iterator[Started]:
    """The subject, serving."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(free_port(), free_port(), mock.url, Path(folder))
        log = BUILD / f"{subject.name}.log"
        began = time.monotonic()
        argv = subject.argv(place)
        with pinned(argv, SERVER_CORE, log=log, environment=subject.environment) as process:
            while not serving(subject, place.port):
                if process.poll() is not None or time.monotonic() - began > START_LIMIT_S:
                    raise Failed(f"{subject.name} did not start: see {log}")
                time.sleep(0.005)
            cold_start_s = time.monotonic() - began
            settle(process.pid)
            idle = sample(process.pid).resident_mb
            figures = {"cold_start_s": cold_start_s, "resident_idle_mb": idle}
            yield Started(subject, place, process, figures)
