"""The results of all languages, and the table of them in docs/conformance.md."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from suite.scenario import Scenario

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / ".cache" / "conformance"
DOCUMENT = ROOT / "docs" / "conformance.md"
LANGUAGES: Mapping[str, str] = {
    "python": "Python",
    "go": "Go",
    "java": "Java",
    "kotlin": "Kotlin",
    "typescript": "TypeScript",
    "rust": "Rust",
    "cpp": "C++",
    "ruby": "Ruby",
}
HEAD = """# Conformance

Made by `make test-clients` from the last run of every language; what the scenarios are is in
[clients/conformance](../clients/conformance/README.md).
"""


@dataclass(frozen=True)
class Results:
    """What became of the scenarios with one language's runner."""

    language: str
    digest: str
    passed: Mapping[str, bool]

    def write(self, directory: Path) -> None:
        """Keep them for the table."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.language}.json").write_text(json.dumps(asdict(self), indent=1))


def digest(directory: Path) -> str:
    """Tells one set of scenarios from another."""
    texts = [file.read_bytes() for file in sorted(directory.glob("*.yaml"))]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]


def read(directory: Path, wanted: str) -> dict[str, Results]:
    """The results by language, without those of other scenarios than `wanted`."""
    found = [Results(**json.loads(file.read_text())) for file in directory.glob("*.json")]
    return {one.language: one for one in found if one.digest == wanted}


def document(scenarios: Sequence[Scenario], results: Mapping[str, Results]) -> str:
    """The page: one table for each file of scenarios, with a column for each language."""
    parts = [HEAD, _totals(scenarios, results)]
    for group in dict.fromkeys(scenario.group for scenario in scenarios):
        own = [scenario for scenario in scenarios if scenario.group == group]
        parts.append(f"## {group.replace('_', ' ').capitalize()}\n\n{_table(own, results)}")
    return "\n".join(parts)


def _totals(scenarios: Sequence[Scenario], results: Mapping[str, Results]) -> str:
    lines = ["| language | passed | of |", "|---|---|---|"]
    for language, title in LANGUAGES.items():
        passed = results[language].passed if language in results else {}
        lines.append(f"| {title} | {sum(passed.values())} | {len(scenarios)} |")
    return "\n".join(lines) + "\n"


def _table(scenarios: Sequence[Scenario], results: Mapping[str, Results]) -> str:
    lines = [
        f"| scenario | {' | '.join(LANGUAGES.values())} |",
        f"|---|{':-:|' * len(LANGUAGES)}",
    ]
    for scenario in scenarios:
        marks = [_mark(results.get(language), scenario.name) for language in LANGUAGES]
        lines.append(f"| {scenario.about} (`{scenario.name}`) | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def _mark(results: Results | None, name: str) -> str:
    passed = results.passed.get(name) if results is not None else None
    return {True: "✓", False: "✗", None: ""}[passed]
