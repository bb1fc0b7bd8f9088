"""The table of results."""

from __future__ import annotations

from pathlib import Path

from suite.scenario import Scenario, load
from suite.table import DOCUMENT, LANGUAGES, ROOT, Results, digest, document, read

SCENARIOS = [
    Scenario(name="a", about="the first", op="generate", group="some_group"),
    Scenario(name="b", about="the second", op="stream", group="some_group"),
]


def test_a_column_for_each_language() -> None:
    results = {"go": Results("go", "x", {"a": True, "b": False})}
    page = document(SCENARIOS, results)
    assert "| Go | 1 | 2 |" in page
    assert "| Ruby | 0 | 2 |" in page
    assert "## Some group" in page
    assert "| the first (`a`) |  | ✓ |" in page
    assert "| the second (`b`) |  | ✗ |" in page


def test_results_of_other_scenarios_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a")
    first = digest(tmp_path)
    Results("go", first, {"a": True}).write(tmp_path)
    assert read(tmp_path, first) == {"go": Results("go", first, {"a": True})}
    (tmp_path / "x.yaml").write_text("b")
    assert read(tmp_path, digest(tmp_path)) == {}


def test_the_document_knows_every_scenario() -> None:
    """Its marks are checked by make test-clients, which alone can make them."""
    scenarios = load(ROOT / "clients" / "conformance" / "scenarios")
    page = DOCUMENT.read_text("utf-8")
    rows = [f"| {scenario.about} (`{scenario.name}`) |" for scenario in scenarios]
    assert [row for row in rows if page.count(row) != 1] == []
    assert all(title in page for title in LANGUAGES.values())
