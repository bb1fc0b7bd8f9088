"""A gateway with the scripted provider in a process of its own, and the commands in this one."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from interlingua_gateway.cli.main import app

RUN = "from interlingua_gateway.cli.start import main; main()"
CONFIG = """
server: {{listen: ["unix:{directory}/gateway.sock"], drain: {{delay_s: 0}}}}
http: {{listen: null}}
data_dir: {directory}/data
providers:
  stage:
    kind: scripted
    script:
      story: [{{do: say, text: "Once upon a time."}}]
      broken: [{{do: say, text: "Once upon"}}, {{do: fail, reason: UPSTREAM_UNAVAILABLE}}]
      down: [{{do: fail, reason: UPSTREAM_TIMEOUT}}]
models:
  - {{name: echo, aliases: [default], targets: [{{provider: stage, model: echo}}]}}
  - name: story
    targets: [{{provider: stage, model: story, price: {{input_usd_per_million: 2}}}}]
  - {{name: broken, targets: [{{provider: stage, model: broken}}]}}
  - {{name: down, targets: [{{provider: stage, model: down}}]}}
"""

Cli = Callable[..., Result]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the gateway listens, once it is ready."""
    directory = tmp_path_factory.mktemp("cli")
    file = directory / "gateway.yaml"
    file.write_text(CONFIG.format(directory=directory))
    with start("serve", "--config", str(file)) as process:
        events = until_ready(process)
        assert events[-1]["message"] == "ready"
        yield f"unix:{directory}/gateway.sock"
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        rest = process.stderr.read()
        assert process.wait(20) == 0, rest


@pytest.fixture
def cli(address: str, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command against the gateway; its output is not a terminal."""
    monkeypatch.setenv("INTERLINGUA_ADDRESS", address)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin)

    return run


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command that needs no gateway, with no configuration around it."""
    monkeypatch.delenv("INTERLINGUA_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=environment)

    return run


def start(*arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """The command in a process of its own, which a log reader watches."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_ready(process: subprocess.Popen[str]) -> list[dict[str, str]]:
    """The events up to the readiness, or the last one if it never came."""
    assert process.stderr is not None
    events = []
    for line in process.stderr:
        events.append(json.loads(line))
        if events[-1]["message"] == "ready":
            break
    return events
