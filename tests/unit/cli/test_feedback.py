"""feedback record and feedback insights, against a gateway that has served some calls."""

from __future__ import annotations

import csv
import io
import json
import signal
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from interlingua import Client
from interlingua_gateway.cli.main import app
from tests.unit.cli.conftest import Cli, start, until_ready

CONFIG = """
server: {{listen: ["unix:{directory}/gateway.sock"], drain: {{delay_s: 0}}}}
http: {{listen: null}}
data_dir: {directory}/data
providers: {{stage: {{kind: scripted}}}}
models:
  - {{name: good, targets: [{{provider: stage, model: echo}}]}}
  - {{name: bad, targets: [{{provider: stage, model: echo}}]}}
"""
CLEAR = "\x1b[2J"
"""What a caller may write, and what would clear the terminal of whoever reads it."""

SAID = {
    "good": (
        ("--rating", "5", "--useful", "--user", "ann", "--label", "page=7"),
        ("--rating", "3", "--scale", "10"),
    ),
    "bad": (
        ("--correction", f"{CLEAR}two\nlines", "--error", "wrong"),
        ("--correction", f"{CLEAR}two\nlines", "--improvement", "shorter", "--useless"),
        ("--correction", "y" * 300),
    ),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the gateway listens."""
    directory = tmp_path_factory.mktemp("feedback")
    file = directory / "gateway.yaml"
    file.write_text(CONFIG.format(directory=directory))
    with start("serve", "--config", str(file)) as process:
        try:
            until_ready(process)
            yield f"unix:{directory}/gateway.sock"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


@pytest.fixture(scope="module", autouse=True)
def recorded(address: str) -> list[str]:
    """What is written while all of SAID is recorded, on an operation of each model."""
    lines: list[str] = []
    with Client(address) as client:
        for model, opinions in SAID.items():
            name = client.generate("x", model=model, tags=[f"{CLEAR}tag"]).operation_id
            for options in opinions:
                command = ["feedback", "record", name, *options, "--address", address]
                result = CliRunner().invoke(app, command)
                assert result.exit_code == 0, result.output
                lines += result.stdout.splitlines()
    return lines


def test_each_thing_that_is_said_is_a_piece(recorded: list[str]) -> None:
    assert [line.split()[1] for line in recorded] == [
        *("rating", "useful", "rating"),
        *("correction", "error"),
        *("useful", "correction", "improvement"),
        "correction",
    ]
    assert all(line.startswith("fb_") for line in recorded)


def test_insights_as_a_table(cli: Cli) -> None:
    result = cli("feedback", "insights")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["model", "feedback", "rating", "useful", "errors", "improvements"]
    cells = {line.split()[0]: line for line in lines[1:4]}
    assert list(cells) == ["bad", "good", "total"]
    assert cells["good"].split()[-5:] == ["3", "3.2/5", "100%", "0", "0"]
    assert cells["bad"].split()[-5:] == ["6", "-", "0%", "1", "1"]
    assert cells["total"].split()[-5:] == ["9", "3.2/5", "50%", "1", "1"]
    assert "█" in cells["bad"]
    assert lines[5].split() == ["times", "should", "have", "been"]
    assert lines[6].split() == ["2", "[2Jtwo", "lines"]
    assert "y" * 201 not in "".join(lines).replace(" ", "")
    assert "y…" in result.stdout


def test_what_callers_write_does_not_move_the_cursor(cli: Cli) -> None:
    for command in (
        ("feedback", "insights", "--by", "tag"),
        ("usage", "--by", "tag"),
        ("usage", "operations"),
    ):
        shown = cli(*command).stdout
        assert "\x1b" not in shown
    assert "[2Jtag" in cli("usage", "--by", "tag").stdout


def test_a_narrow_terminal_keeps_the_names(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = cli("feedback", "insights", "--by", "model", "--interval", "day").stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any("good" in line for line in lines)


def test_insights_as_csv(cli: Cli) -> None:
    text = cli("feedback", "insights", "--interval", "hour", "--csv").stdout
    bad, good = csv.DictReader(io.StringIO(text))
    assert (bad["model"], bad["feedback"], bad["errors"]) == ("bad", "6", "1")
    assert (bad["average_rating"], bad["useful_rate"]) == ("", "0.0")
    assert (bad["correction"], bad["correction_count"]) == (f"{CLEAR}two\nlines", "2")
    assert float(good["average_rating"]) == pytest.approx(0.65)
    assert good["start"].endswith(":00:00Z")


def test_insights_as_json(cli: Cli) -> None:
    told = json.loads(
        cli("feedback", "insights", "--json", "--model", "bad", "--corrections", "1").stdout
    )
    assert told["total"]["feedback_count"] == "6"
    (correction,) = told["total"]["common_corrections"]
    assert correction["count"] == "2"


def test_a_record_as_json(cli: Cli) -> None:
    """Of an operation that nobody knows: it counts, but for no model."""
    made = cli("feedback", "record", "op_" + "0" * 24, "--useful", "--json")
    assert json.loads(made.stdout)["feedback_id"].startswith("fb_")


def test_nothing_is_told(cli: Cli) -> None:
    result = cli("feedback", "insights", "--until", "2020-01-01")
    assert result.stdout == "Nobody gave feedback in this time.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "advice"),
    [
        (("record", "op_" + "0" * 24), 2, "give at least one of --rating"),
        (("record", "op_" + "0" * 24, "--error", "x", "--label", "page"), 2, "such as page=7"),
        (("record", "op_" + "0" * 24, "--rating", "6"), 1, "rating.value: must be from 0 to 5"),
        (("record", "mine", "--useful"), 1, "operation_id: is not one that a gateway gave"),
        (("insights", "--by", "colour"), 2, "--by is one of tenant, project"),
        (("insights", "--interval", "week"), 2, "--interval is hour or day"),
    ],
)
def test_misuse_is_told(cli: Cli, arguments: tuple[str, ...], code: int, advice: str) -> None:
    result = cli("feedback", *arguments)
    assert result.exit_code == code
    assert advice in result.output
