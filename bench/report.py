"""Make the tables of docs/performance.md and the README's figures from bench/results/NAME.json."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios import SCENARIOS
from subjects import BENCH, SUBJECTS

DOCUMENT = BENCH.parent / "docs" / "performance.md"
README = BENCH.parent / "README.md"
BEGIN, END = "<!-- bench/report.py: begin -->", "<!-- bench/report.py: end -->"
POLICIES = BENCH / "results" / "policies.json"
POLICIES_MARKS = ("<!-- bench/policies.py: begin -->", "<!-- bench/policies.py: end -->")
TITLES = {subject.name: subject.title for subject in SUBJECTS}
OURS, EMBEDDED = "ours", "ours-local"
OTHERS = ("litellm", "portkey", "smg", "echo")
TAKEN = 0.1  # of a core by other programs: above it rates and times are not to be trusted
KEPT_UP = 0.9  # of the load that was offered
LOAD_LIMITED = 0.95  # of the load's core: above it a rate is the load's, not the server's


@dataclass(frozen=True)
class Measure:
    """A figure: of which scenario, by which name, taken less what it is without a gateway."""

    title: str
    scenario: str
    figure: str
    added: bool = False
    more_is_better: bool = False
    digits: int = 0


UNARY_RATE = Measure("calls/s", "unary", "calls_per_s", more_is_better=True)
UNARY_CPU = Measure("CPU us a call", "unary", "cpu_us_per_call")
BURST_RATE = Measure("tokens/s", "burst", "tokens_per_s", more_is_better=True)
BURST_CPU = Measure("CPU us a token", "burst", "cpu_us_per_token", digits=1)
PACED_64 = Measure("paced, 64 streams", "paced64", "cpu_us_per_token", digits=1)
PACED_256 = Measure("paced, 256 streams", "paced256", "cpu_us_per_token", digits=1)
EMBED_CPU = Measure("CPU us a call", "embed", "cpu_us_per_call")
FIRST = Measure("first token, ms added", "first", "first_token_ms_p50", added=True, digits=2)
STEADY = Measure("p99, ms added", "steady", "latency_ms_p99", added=True, digits=2)

Results = dict[str, Any]


def values(results: Results, subject: str, measure: Measure) -> list[float]:
    """The measure in each round that has it."""
    rounds = results["subjects"].get(subject, {}).get("rounds", [])
    found = [r[measure.scenario] for r in rounds if measure.figure in r.get(measure.scenario, {})]
    less = 0.0
    if measure.added:
        straight = results["subjects"]["direct"]["rounds"]
        less = statistics.median(r[measure.scenario][measure.figure] for r in straight)
    return [figures[measure.figure] - less for figures in found]


def doubts(results: Results, subject: str, measure: Measure) -> str:
    """Marks for a figure that is not what it seems."""
    rounds = results["subjects"].get(subject, {}).get("rounds", [])
    found = [r[measure.scenario] for r in rounds if measure.scenario in r]
    limited = measure.more_is_better and any(f["load_core_busy"] > LOAD_LIMITED for f in found)
    failed = any(f["errors"] for f in found)
    late = fell_behind(results, subject, measure.scenario)
    return ("†" if limited else "") + ("‡" if failed else "") + ("§" if late else "")


def fell_behind(results: Results, subject: str, scenario: str) -> bool:
    """Whether a subject served clearly less than was offered, where the load has a rate."""
    rounds = results["subjects"].get(subject, {}).get("rounds", [])
    load = next(s for s in SCENARIOS if s.name == scenario)
    figure, offered = "calls_per_s", float(load.rate)
    if load.pace_ms and load.callers > 1:
        figure, offered = "tokens_per_s", load.callers * 1000 / load.pace_ms
    served = [r[scenario][figure] for r in rounds if scenario in r]
    return bool(offered and served) and statistics.median(served) < KEPT_UP * offered


def spread(numbers: Iterable[float], digits: int) -> str:
    """Median, and least to most where there are several."""
    found = sorted(numbers)
    if not found:
        return "-"
    middle = f"{statistics.median(found):.{digits}f}"
    if len(found) == 1:
        return middle
    return f"{middle} ({found[0]:.{digits}f} to {found[-1]:.{digits}f})"


def ratio(results: Results, other: str, measure: Measure) -> str:
    """How many times better we are than another subject, in medians."""
    ours, theirs = values(results, OURS, measure), values(results, other, measure)
    if not ours or not theirs:
        return "-"
    if measure.added and fell_behind(results, other, measure.scenario):
        return "they fall behind"
    up, down = statistics.median(ours), statistics.median(theirs)
    if not measure.more_is_better:
        up, down = down, up
    return f"{up / down:.2g}x" if up > 0 and down > 0 and up / down < 10 else _large(up, down)


def _large(up: float, down: float) -> str:
    return f"{up / down:.0f}x" if up > 0 and down > 0 else "below the noise"


def remarks(results: Results) -> list[str]:
    """What a reader must know of this run."""
    windows = [
        figures["others_busy"]
        for name, subject in results["subjects"].items()
        if name != "direct"
        for one in subject["rounds"]
        for figures in one.values()
        if "others_busy" in figures
    ]
    taken = sum(others > TAKEN for others in windows)
    said = [
        f"{TITLES[name]} crashed {subject['deaths']} times under load and was started anew."
        for name, subject in results["subjects"].items()
        if subject.get("deaths")
    ]
    if taken:
        said.append(
            f"In {taken} of {len(windows)} windows other programs took more than {TAKEN:.0%} of a "
            "core: rates and times suffered, whose is chance; "
            "CPU figures nearly hold."
        )
    return said


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ratios(results: Results) -> str:
    """Us against each of the others: above 1 is better than they."""
    rows = (
        ("Generate: calls/s of a core", UNARY_RATE),
        ("Generate: CPU a call", UNARY_CPU),
        ("StreamGenerate, as fast as it goes: tokens/s of a core", BURST_RATE),
        ("StreamGenerate, as fast as it goes: CPU a token", BURST_CPU),
        ("StreamGenerate, 64 streams at 100 tokens/s: CPU a token", PACED_64),
        ("StreamGenerate, 256 streams at 100 tokens/s: CPU a token", PACED_256),
        ("Embed, 64 vectors of 1536: CPU a call", EMBED_CPU),
        ("First token, one caller: time added", FIRST),
        ("99th percentile at 500 calls/s: time added", STEADY),
    )
    others = [name for name in OTHERS if name in results["subjects"]]
    lines = ([title, *(ratio(results, o, measure) for o in others)] for title, measure in rows)
    return table(["Interlingua (native dialect) against", *(TITLES[o] for o in others)], lines)


def absolute(results: Results, measures: list[tuple[str, Measure]]) -> str:
    """The figures themselves, a row for each subject that has one."""

    def row(name: str) -> list[str]:
        cells = (
            spread(values(results, name, m), m.digits) + doubts(results, name, m)
            for _, m in measures
        )
        return [TITLES[name], *cells]

    names = [n for n in TITLES if any(values(results, n, m) for _, m in measures)]
    return table(["", *(title for title, _ in measures)], map(row, names))


def processes(results: Results) -> str:
    """Cold starts and memory."""

    def row(name: str) -> list[str]:
        subject = results["subjects"][name]
        held = Measure("", "open2000", "resident_mb")
        return [
            TITLES[name],
            spread((s["cold_start_s"] for s in subject["starts"]), 2),
            spread((s["resident_idle_mb"] for s in subject["starts"]), 0),
            f"{subject['end_mb']:.0f}",
            spread(values(results, name, held), 0),
        ]

    head = ["", "cold start, s", "idle, MB", "at the end, MB", "with 2000 open streams, MB"]
    return table(head, (row(name) for name in TITLES if name in results["subjects"]))


def cancelled(results: Results) -> str:
    """What cancelled streams left."""
    rounds = results["subjects"].get(OURS, {}).get("rounds", [])
    found = [r["cancel"] for r in rounds if "cancel" in r]
    if not found:
        return "Not measured in this run."
    left: Callable[[str], str] = lambda key: f"{found[-1][key]:+.0f}"  # noqa: E731
    return (
        f"{found[-1]['calls']:.0f} streams, each cancelled after its third token, 64 at a time: "
        f"resident memory {found[-1]['resident_grown_mb']:+.1f} MB, open files "
        f"{left('files_grown')}, threads {left('threads_grown')}, connections at the upstream "
        f"{left('upstream_connections_grown')}."
    )


def section(results: Results) -> str:
    """All that is generated."""
    machine = results["machine"]
    about = (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, "
        f"{machine['system']}, Python {machine['python']}, grpcio {machine['grpcio']}; "
        f"{results['date']}; rounds: {results['rounds']}."
    )
    streams = [
        ("burst: tokens/s", BURST_RATE),
        ("burst: CPU us a token", BURST_CPU),
        ("64 paced: CPU us a token", PACED_64),
        ("256 paced: CPU us a token", PACED_256),
    ]
    calls = [
        ("Generate: calls/s", UNARY_RATE),
        ("Generate: CPU us a call", UNARY_CPU),
        ("Embed: CPU us a call", EMBED_CPU),
    ]
    latencies = [("first token: ms added", FIRST), ("500 calls/s: p99, ms added", STEADY)]
    marks = (
        "† The load's core was busy too: the rate is at least this. ‡ Some calls failed. "
        "§ Not all that was offered was served."
    )
    kinds = "; ".join(f"*{scenario.name}*: {scenario.title}" for scenario in SCENARIOS)
    parts = [
        *("## Ratios", "Above 1x: Interlingua is better.", ratios(results)),
        *("## Figures", f"Machine: {about}", f"Load: {kinds}."),
        *("Medians, with the least and the most of all rounds.", absolute(results, calls)),
        *(absolute(results, streams), absolute(results, latencies), marks),
        *remarks(results),
        *("## Start and memory", processes(results)),
        *("## Cancelled streams", cancelled(results)),
    ]
    return "\n\n".join(parts)


def summary(results: Results) -> str:
    """The few figures that the README quotes."""
    machine = results["machine"]
    tools = f"Python {machine['python']}, {results['date']}"
    return "\n".join(
        [
            f"Measured on {machine['cores']} cores of {machine['cpu']} ({tools}):",
            "",
            f"- {_start(results, OURS)} with a provider over HTTP;",
            f"- {_start(results, EMBEDDED)} with the embedded model, its process included.",
        ]
    )


def _start(results: Results, name: str) -> str:
    starts = results["subjects"][name]["starts"]
    seconds = statistics.median(start["cold_start_s"] for start in starts)
    idle = statistics.median(start["resident_idle_mb"] for start in starts)
    return f"{seconds:.2f} s from `interlingua serve` to SERVING, {idle:.0f} MB idle,"


def write(name: str) -> None:
    """Replace the generated parts of the documents by the figures of these results."""
    results = json.loads((BENCH / "results" / f"{name}.json").read_text())
    _replace(DOCUMENT, section(results))
    _replace(README, summary(results))
    print(f"{DOCUMENT} and {README} are made from {name}.json")


def write_policies() -> None:
    """Replace the table of what policies cost by the figures of bench/results/policies.json."""
    results = json.loads(POLICIES.read_text())
    rows = ([row["title"], spread(row["us"], 1)] for row in results["rows"])
    machine = results["machine"]
    about = (
        f"CPU microseconds a call, medians with the least and the most of {results['rounds']} "
        f"rounds of {results['calls']} calls; {machine['cpu']}, Python {machine['python']}, "
        f"{results['date']}."
    )
    _replace(DOCUMENT, f"{about}\n\n{table(['', 'us a call'], rows)}", *POLICIES_MARKS)


def _replace(document: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    before, _, rest = document.read_text().partition(begin)
    after = rest.partition(end)[2]
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


if __name__ == "__main__":
    write(sys.argv[1] if len(sys.argv) > 1 else "latest")
