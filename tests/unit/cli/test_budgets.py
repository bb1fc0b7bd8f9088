"""budgets put, list and delete, against a real gateway."""

import json
import signal
from collections.abc import Iterator

import pytest

from tests.unit.cli.conftest import Cli, start, until_ready

CONFIG = """
server: {{listen: ["unix:{directory}/gateway.sock"], drain: {{delay_s: 0}}}}
auth: {{anonymous: [inference, admin]}}
http: {{listen: null}}
data_dir: {directory}/data
providers: {{stage: {{kind: scripted}}}}
models:
  - name: echo
    aliases: [default]
    targets: [{{provider: stage, model: echo, price: {{input_usd_per_million: 1000000}}}}]
budgets: {{rules: [{{name: team, period: total, limit_usd: 100, enforcement: soft}}]}}
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway whose budgets everybody may change; a word costs a dollar."""
    directory = tmp_path_factory.mktemp("budgets")
    file = directory / "gateway.yaml"
    file.write_text(CONFIG.format(directory=directory))
    with start("serve", "--config", str(file)) as process:
        until_ready(process)
        yield f"unix:{directory}/gateway.sock"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def test_a_budget_from_its_beginning_to_its_end(cli: Cli) -> None:
    made = cli("budgets", "put", "b", "--limit-usd", "4.50", "--tenant", "acme", "--soft")
    assert made.exit_code == 0, made.stderr
    assert "4.50 a month, soft" in made.stdout
    assert cli("call", "one two three").exit_code == 0
    (own, team) = (
        json.loads(line) for line in cli("budgets", "list", "--json").stdout.splitlines()
    )
    assert own["id"] == "b"
    assert own["scope"] == {"tenant_id": "acme"}
    assert own["alert_thresholds"] == [0.5, 0.8, 1]
    assert (team["id"], team["spent_nano_usd"]) == ("team", "3000000000")
    table = cli("budgets", "list").stdout
    assert "█" in table
    assert " 3%" in table
    assert "everybody" in table
    assert len(cli("budgets", "list", "--tenant", "acme").stdout.splitlines()) == 2
    assert cli("budgets", "delete", "b").stdout == "b ended\n"
    again = cli("budgets", "delete", "b")
    assert again.exit_code == 1
    assert "There is no budget `b`" in again.stderr
    assert "interlingua budgets list" in again.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit-usd", "-1"], "above 0"),
        (["--limit-usd", "much"], "above 0"),
        (["--limit-usd", "1e-10"], "above 0"),
        (["--limit-usd", "5", "--period", "year"], "day, week, month, total"),
    ],
)
def test_misuse(cli: Cli, options: list[str], said: str) -> None:
    result = cli("budgets", "put", "x", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_configuration_has_its_own(cli: Cli) -> None:
    result = cli("budgets", "put", "team", "--limit-usd", "5")
    assert result.exit_code == 1
    assert "budget of the configuration" in result.stderr
