"""config reload and SIGHUP, on a gateway in a process of its own."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli, start, until_ready

CONFIG = """
server: {{listen: ["127.0.0.1:1"], drain: {{delay_s: 0}}}}
auth: {{anonymous: [inference, admin]}}
http: {{listen: null}}
data_dir: {directory}/data
providers: {{stage: {{kind: scripted}}}}
models:
  - {{name: echo, aliases: [{aliases}], targets: [{{provider: stage, model: echo}}]}}
"""


class Process:
    """A gateway whose option `--listen` goes before the file."""

    def __init__(self, child: subprocess.Popen[str], directory: Path) -> None:
        self.child = child
        self.directory = directory
        self.address = f"unix:{directory}/gateway.sock"

    def write(self, *aliases: str) -> None:
        text = CONFIG.format(directory=self.directory, aliases=", ".join(aliases))
        (self.directory / "gateway.yaml").write_text(text)

    def logged(self, message: str) -> dict[str, object]:
        """The next log line with `message`."""
        assert self.child.stderr is not None
        lines = (json.loads(line) for line in self.child.stderr)
        return next(line for line in lines if line["message"] == message)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Process]:
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIG.format(directory=tmp_path, aliases="default"))
    address = f"unix:{tmp_path}/gateway.sock"
    with start("serve", "--config", str(file), "--listen", address) as child:
        until_ready(child)
        yield Process(child, tmp_path)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
    assert child.returncode == 0


@pytest.fixture
def address(gateway: Process) -> str:
    return gateway.address


def test_reload(gateway: Process, cli: Cli) -> None:
    gateway.write("default", "other")
    planned = cli("config", "reload", "--dry-run")
    assert planned.stdout == "models[echo].aliases: changed\n"
    assert "nothing has; in force: " in planned.stderr
    assert cli("call", "-m", "other", "hello").exit_code == 1
    done = cli("config", "reload")
    assert (done.exit_code, done.stdout) == (0, planned.stdout)
    assert done.stderr.startswith("this has changed; in force: ")
    assert cli("call", "-m", "other", "hello").stdout == "hello\n"
    again = cli("config", "reload")
    assert (again.exit_code, again.stdout) == (0, "")
    assert again.stderr.replace("nothing is different", "this has changed") == done.stderr
    gateway.write("default", "echo")
    failed = cli("config", "reload")
    assert failed.exit_code == 1
    assert "1 problem" in failed.stderr
    assert f"models[0].aliases[1]: {gateway.directory}/gateway.yaml:8:" in failed.stderr
    assert cli("call", "-m", "other", "hello").stdout == "hello\n"


def test_a_hangup_reloads(gateway: Process, cli: Cli) -> None:
    gateway.write("default", "other")
    gateway.child.send_signal(signal.SIGHUP)
    line = gateway.logged("configuration reloaded")
    assert line["changes"] == ["models[echo].aliases: changed"]
    assert cli("health").stdout.splitlines()[0].endswith(f", configuration {line['digest']}")
    assert cli("call", "-m", "other", "hello").stdout == "hello\n"
    (gateway.directory / "gateway.yaml").write_text("models: [")
    gateway.child.send_signal(signal.SIGHUP)
    assert gateway.logged("configuration not reloaded")["digest"] == line["digest"]
    assert cli("call", "-m", "other", "hello").stdout == "hello\n"
