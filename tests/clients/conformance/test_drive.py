"""Runners are driven as the protocol says, and told apart when they do not keep to it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from suite.drive import RunnerError, observations
from suite.scenario import Scenario
from suite.verdicts import verdict

PAUSES = """
import json, sys
print(json.dumps({"pause": "restart"}), flush=True)
answer = sys.stdin.readline().strip()
print(json.dumps({"scenario": "a", "observed": {"said": [answer, *sys.argv[1:]]}}), flush=True)
"""


def run(code: str, pauses: list[str]) -> list[tuple[str, object]]:
    command = [sys.executable, "-c", code]
    return list(observations(command, "host:1", Path("plan.json"), pauses.append))


def test_pauses_wait_for_what_happens_meanwhile() -> None:
    pauses: list[str] = []
    assert run(PAUSES, pauses) == [("a", {"said": ["go", "host:1", "plan.json"]})]
    assert pauses == ["restart"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('hello')", "not JSON"),
        ("print([1])", "not an object"),
        ("print('{}')", "not an observation"),
        ("raise SystemExit(3)", "ended with 3"),
    ],
)
def test_other_runners(code: str, message: str) -> None:
    with pytest.raises(RunnerError, match=message):
        run(code, [])


def scenario(**fields: object) -> Scenario:
    return Scenario(name="a", about="b", op="generate", upstream="x", **fields)  # type: ignore[arg-type]


def test_verdicts() -> None:
    failed = {"a": {"error": {"code": "NOT_FOUND"}}}
    nothing: Counter[tuple[str, str]] = Counter()
    assert verdict(scenario(expect={"text": "x"}), {}, nothing).faults == ("nothing was observed",)
    assert not verdict(scenario(expect={"error": {"code": "NOT_FOUND"}}), failed, nothing).faults
    faults = verdict(scenario(expect={"text": "x"}), failed, nothing).faults
    assert faults[0].startswith("text: expected 'x'")
    assert faults[1].startswith("an error that is not expected")


def test_attempts_are_those_of_the_scenario() -> None:
    counts = Counter({("a", "ok"): 1, ("a-1", "failed"): 2, ("ab", "ok"): 5})
    answer: dict[str, dict[str, object]] = {"a": {}}
    good = scenario(expect={"faults": []}, attempts={"ok": 1, "failed": 2, "cancelled": 0})
    assert not verdict(good, answer, counts).faults
    bad = scenario(expect={"faults": []}, attempts={"ok": 2})
    assert verdict(bad, answer, counts).faults == ("attempts.ok: expected 2, observed 1",)
