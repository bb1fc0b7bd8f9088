"""The examples of the documentation are right, and its tables are whole."""

import re
from pathlib import Path

import pytest

from interlingua_gateway.config.known import KINDS, KNOWN
from interlingua_gateway.config.load import load

PAGE = (Path(__file__).parents[3] / "docs/configuration.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_load(example: str, tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(example)
    environment = {"HOME": "/h", "OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    environment["GEMINI_API_KEY"] = "k"
    environment["INTERLINGUA_ADMIN_KEY"] = "k" * 64
    environment["SPENDING_HOOK_SECRET"] = environment["DATABASE_PASSWORD"] = "k"
    assert load(file, environment).config.models


def test_every_known_variable_is_listed() -> None:
    rows = {
        row[0]: set(re.findall(r"`([A-Z_]+)`", row[1]))
        for row in re.findall(r"^\| `([a-z]+)` \| (.*) \|$", PAGE, re.MULTILINE)
    }
    expected = {
        known.name: {name for setting in known.settings for name in setting.variables}
        for known in KNOWN
        if known.settings
    }
    assert {name: rows.get(name) for name in expected} == expected


def test_every_kind_is_listed() -> None:
    (table,) = re.findall(r"^\| kind \| .*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    names = [row.split("|")[1] for row in table.splitlines()]
    assert set(re.findall(r"`([a-z]+)`", "".join(names))) == KINDS
