"""usage and usage operations, against a gateway that has served some calls."""

from __future__ import annotations

import csv
import io
import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from interlingua import Client, UnavailableError
from tests.unit.cli.conftest import Cli, start, until_ready

CONFIG = """
server: {{listen: ["unix:{directory}/gateway.sock"], drain: {{delay_s: 0}}}}
http: {{listen: null}}
data_dir: {directory}/data
providers:
  stage:
    kind: scripted
    script:
      story: [{{do: say, text: "Once upon a time."}}]
      broken: [{{do: fail, reason: UPSTREAM_UNAVAILABLE}}]
models:
  - {{name: echo, targets: [{{provider: stage, model: echo}}]}}
  - name: story
    targets: [{{provider: stage, model: story, price: {{input_usd_per_million: 2000}}}}]
  - {{name: broken, targets: [{{provider: stage, model: broken}}]}}
routing: {{retry: {{rounds: 1}}}}
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the gateway listens that has served them."""
    directory = tmp_path_factory.mktemp("usage")
    file = directory / "gateway.yaml"
    file.write_text(CONFIG.format(directory=directory))
    with start("serve", "--config", str(file)) as process:
        try:
            until_ready(process)
            yield served(f"unix:{directory}/gateway.sock")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def served(address: str) -> str:
    """`address`, after some calls."""
    with Client(address) as client:
        for user in ("ann", "ann", "bob"):
            client.generate("tell me", model="story", user=user, tags=["t"])
        client.generate("hello", model="echo")
        with pytest.raises(UnavailableError):
            client.generate("hello", model="broken")
    return address


def test_totals_as_a_table(cli: Cli) -> None:
    result = cli("usage")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[:2] == ["model", "cost"]
    cells = {line.split()[0]: line for line in lines[1:]}
    assert "█" in cells["story"]
    assert " 3 " in cells["story"]
    assert "unknown" in cells["echo"]
    assert "0%" in cells["broken"]
    assert " 5 " in cells["total"]
    assert "1 call has no known price and no part in the cost." in result.stdout
    assert "Failures: upstream_unavailable 1." in result.stdout


def test_a_narrow_terminal_keeps_the_names(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in (("usage", "--by", "model", "--by", "user"), ("usage", "operations")):
        lines = cli(*command).stdout.splitlines()
        assert all(len(line) <= 80 for line in lines)
        assert any("story" in line for line in lines)
        assert "…" not in "".join(lines)


def test_totals_as_csv(cli: Cli) -> None:
    text = cli("usage", "--by", "user", "--by", "model", "--interval", "day", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["user"], row["model"], row["operations"]) for row in rows] == [
        ("ann", "story", "2"),
        ("bob", "story", "1"),
    ]
    tokens = int(rows[0]["input_tokens"])
    assert float(rows[0]["cost_usd"]) == pytest.approx(tokens * 0.002)
    assert rows[0]["start"].endswith("T00:00:00Z")


def test_totals_as_json(cli: Cli) -> None:
    told = json.loads(cli("usage", "--json", "--tag", "t", "--top", "1", "--by", "user").stdout)
    assert told["total"]["operations"] == "3"
    assert [group["keys"] for group in told["groups"]] == [["ann"]]
    assert told["omitted_groups"] == "1"


def test_operations(cli: Cli) -> None:
    result = cli("usage", "operations", "--outcome", "ok", "-n", "2")
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    assert "echo" in result.stdout
    assert "bob" in result.stdout
    every = [json.loads(x) for x in cli("usage", "operations", "--json").stdout.splitlines()]
    assert len(every) == 5
    assert every == sorted(every, key=lambda one: one["operation_id"], reverse=True)
    (failed,) = (json.loads(cli("usage", "operations", "--json", "--outcome", "failed").stdout),)
    assert failed["error_reason"] == "ERROR_REASON_UPSTREAM_UNAVAILABLE"


def test_times(cli: Cli) -> None:
    today = datetime.now(UTC).date()
    tomorrow = str(today + timedelta(days=1))
    count = {
        ("--since", str(today - timedelta(days=1))): "5",
        ("--since", str(today - timedelta(days=1)), "--until", tomorrow): "5",
        ("--last", "30m"): "5",
        ("--last", "1w", "--until", f"{tomorrow}T00:00+00:00"): "5",
    }
    for options, operations in count.items():
        told = json.loads(cli("usage", "--json", *options).stdout)
        assert told["total"]["operations"] == operations, options
    assert cli("usage", "--until", "2020-01-01").stdout == "Nothing was used in this time.\n"
    empty = cli("usage", "operations", "--until", "2020-01-01")
    assert empty.stdout == "No operation in this time.\n"


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (("--by", "colour"), "--by is one of tenant, project"),
        (("--interval", "week"), "--interval is hour or day"),
        (("--last", "soon"), "such as 24h"),
        (("--since", "yesterday"), "2026-01-31"),
        (("--last", "1d", "--since", "2026-01-01"), "not both"),
        (("--outcome", "good"), "ok, failed or cancelled"),
    ],
)
def test_misuse_is_told(cli: Cli, options: tuple[str, ...], advice: str) -> None:
    result = cli("usage", *options)
    assert result.exit_code == 2
    assert advice in result.output
