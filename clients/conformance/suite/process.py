"""The gateway under test: a process that is started, drained, restarted and asked for counts."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

START_S = 60.0
DRAIN_S = 60.0
SETTLE_S = 10.0
_ATTEMPTS = re.compile(
    r'^interlingua_upstream_attempts_total{deployment="([^"]*)",outcome="([^"]*)",.*} ([0-9.e+]+)$',
    re.MULTILINE,
)
_IN_FLIGHT = re.compile(r"^interlingua_upstream_attempts_in_flight{.*} ([0-9.e+]+)$", re.MULTILINE)


class GatewayError(Exception):
    """The gateway does not do what it should; the message says what, and has the end of its log."""


class GatewayProcess:
    """A gateway at an address of its own that outlives its processes."""

    def __init__(
        self, tree: Mapping[str, object], directory: Path, tls: Mapping[str, object] | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.address = f"127.0.0.1:{_free_port()}"
        self.unix_address = f"unix:{directory}/gateway.sock"
        self._http = f"127.0.0.1:{_free_port()}"
        self._log = directory / "gateway.log"
        self._file = directory / "gateway.yaml"
        whole = {
            "data_dir": str(directory / "data"),
            "telemetry": {"log_format": "json"},
            "http": {"listen": self._http},
            "server": {
                "listen": [self.address, self.unix_address],
                "drain": {"delay_s": 0.3, "grace_s": 0.5},
                "tls": tls,
            },
            **tree,
        }
        self._file.write_text(yaml.safe_dump(whole, allow_unicode=True), "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a process and wait until it serves."""
        code = "from interlingua_gateway.cli.main import main; main()"
        command = [sys.executable, "-c", code, "serve", "--config", str(self._file)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ)
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        self._wait(lambda: self._ready() is True, START_S, "serve")

    def begin_drain(self) -> None:
        """Ask the process to stop, and wait until it tells load balancers so."""
        self._running.send_signal(signal.SIGTERM)
        self._wait(lambda: self._ready() is not True, DRAIN_S, "drain")

    def end_drain(self) -> None:
        """Wait until the process has drained and ended well."""
        try:
            code = self._running.wait(DRAIN_S)
        except subprocess.TimeoutExpired as error:
            raise self._failure("does not end") from error
        self._process = None
        if code != 0:
            raise self._failure(f"ended with {code}")

    def restart(self) -> None:
        """Drain it and start it again at the same address."""
        self.begin_drain()
        self.end_drain()
        self.start()

    def close(self) -> None:
        """End the process at once, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def attempts(self, in_flight: int) -> Counter[tuple[str, str]]:
        """How many upstream attempts there were, by deployment and outcome.

        Waits until no more than `in_flight` go on, or for SETTLE_S: a cancel is on its way.
        """
        end = time.monotonic() + SETTLE_S
        text = self._metrics()
        while sum(map(float, _IN_FLIGHT.findall(text))) > in_flight and time.monotonic() < end:
            time.sleep(0.05)
            text = self._metrics()
        return Counter(
            {(name, outcome): int(float(n)) for name, outcome, n in _ATTEMPTS.findall(text)}
        )

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise GatewayError("The gateway does not run.")
        return self._process

    def _failure(self, what: str) -> GatewayError:
        tail = self._log.read_text("utf-8", "replace")[-2000:]
        return GatewayError(f"The gateway {what}. Its log ends:\n{tail}")

    def _metrics(self) -> str:
        with urllib.request.urlopen(f"http://{self._http}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def _ready(self) -> bool | None:
        """Whether it says that it is ready; None if it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self._http}/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False
        except OSError:
            return None

    def _wait(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end or (what == "serve" and self._running.poll() is not None):
                raise self._failure(f"does not {what}")
            time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
