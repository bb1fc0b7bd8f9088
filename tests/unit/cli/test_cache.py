"""cache invalidate, against a real gateway."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli, start, until_ready

CONFIG = """
server: {{listen: ["unix:{directory}/gateway.sock"], drain: {{delay_s: 0}}}}
auth: {{anonymous: [inference, admin]}}
http: {{listen: null}}
data_dir: {directory}/data
providers: {{stage: {{kind: scripted}}}}
models:
  - {{name: echo, aliases: [default], targets: [{{provider: stage, model: echo}}], cache: {{}}}}
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A gateway that keeps answers and lets everybody remove them."""
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIG.format(directory=tmp_path))
    with start("serve", "--config", str(file)) as process:
        until_ready(process)
        yield f"unix:{tmp_path}/gateway.sock"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def test_answers_are_removed(cli: Cli) -> None:
    cli("call", "one")
    cli("call", "two")
    cli("call", "two")
    assert cli("cache", "invalidate", "--tag", "none").stdout == "0 removed\n"
    assert cli("cache", "invalidate", "--model", "default").stdout == "2 removed\n"
    cli("call", "--no-stream", "three")
    assert cli("cache", "invalidate", "--tenant", "").stdout == "1 removed\n"


@pytest.mark.parametrize("options", [[], ["--model", "m", "--tag", "t"]])
def test_exactly_one_selector(cli: Cli, options: list[str]) -> None:
    result = cli("cache", "invalidate", *options)
    assert result.exit_code == 2
    assert "exactly one" in result.stderr
