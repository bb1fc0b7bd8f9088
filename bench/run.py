"""Measure the gateway, its floor and its peers side by side, in interleaved rounds.

All subjects are pinned to one core and get their load in turn, so that each has the core to
itself; the load and the mock upstream share the other. A first round only warms up. The raw
figures of the others go to bench/results/NAME.json, from which report.py makes the table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
from bringup import Failed, Figures, Mock, build, mock_upstream, settle, started
from measure import cancelled, direct, measure
from processes import LOAD_CORE, sample
from report import write as write_tables
from scenarios import CANCEL, SCENARIOS, Scenario
from subjects import BENCH, SUBJECTS, Subject

Round = dict[str, Figures]
WARM_UP_S = {"unary": 6.0, "embed": 2.0, "burst": 2.0}  # what a just-in-time compiler needs


class Contestant:
    """A subject through all its rounds: kept running, started anew when it dies."""

    def __init__(self, subject: Subject, mock: Mock, stack: contextlib.ExitStack) -> None:
        self.subject = subject
        self.starts: list[Figures] = []
        self.rounds: list[Round] = []
        self.deaths = 0
        self._mock, self._stack = mock, stack

    def start(self, times: int) -> None:
        """Start it several times, each from nothing, and keep the last one running."""
        for _ in range(times - 1):
            with started(self.subject, self._mock) as one:
                self.starts.append(one.start)
        self._now = self._stack.enter_context(started(self.subject, self._mock))
        self.starts.append(self._now.start)
        print(f"  {self.subject.name}: up in {self._now.start['cold_start_s']:.2f} s", flush=True)

    def run(self, wanted: list[Scenario], cancels: int) -> Round:
        """One round: figures by scenario, without those in which it died."""
        figures = {}
        for scenario in wanted:
            if scenario.name in self.subject.scenarios:
                found = measure(self._now, scenario, self._mock)
                if self._now.dead:
                    self.deaths += 1
                    print(f"  {self.subject.name} died under {scenario.name}", flush=True)
                    self.start(1)
                    continue
                figures[scenario.name] = found
                settle(self._now.pid)
        if cancels and CANCEL.name in self.subject.scenarios:
            figures[CANCEL.name] = cancelled(self._now, self._mock, cancels)
        return figures

    def results(self) -> dict[str, object]:
        """All that was found."""
        end_mb = sample(self._now.pid).resident_mb
        found = {"starts": self.starts, "deaths": self.deaths, "end_mb": end_mb}
        return {**found, "rounds": self.rounds}


def measure_all(
    subjects: list[Subject], scenarios: list[Scenario], mock: Mock, rounds: int, cancels: int
) -> dict[str, dict[str, object]]:
    """Every round of every subject, after one round that only warms up."""
    warm_up = [replace(s, window_s=WARM_UP_S[s.name]) for s in scenarios if s.name in WARM_UP_S]
    every = [s for s in scenarios if not s.once]
    straight: list[Round] = []
    with contextlib.ExitStack() as stack:
        print("starting", flush=True)
        contestants = []
        for subject in subjects:
            one = Contestant(subject, mock, stack)
            try:
                one.start(rounds)
            except Failed as failure:
                print(f"  left out: {failure}", flush=True)
            else:
                contestants.append(one)
        print("warming up", flush=True)
        for one in contestants:
            one.run(warm_up, 0)
        for number in range(1, rounds + 1):
            print(f"round {number} of {rounds}", flush=True)
            last = number == rounds
            wanted = scenarios if last else every
            straight.append(direct(wanted, mock))
            for one in contestants:
                one.rounds.append(one.run(wanted, cancels if last else 0))
        measured = {one.subject.name: one.results() for one in contestants}
        return {"direct": {"rounds": straight}, **measured}


def machine() -> dict[str, object]:
    """The class of this machine."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "grpcio": grpc.__version__,
    }


def some_of(names: list[str]) -> Callable[[str], list[str]]:
    """Reads a list with commas whose members must be among the names."""

    def read(text: str) -> list[str]:
        if unknown := set(text.split(",")) - set(names):
            raise argparse.ArgumentTypeError(f"not known: {', '.join(sorted(unknown))}")
        return text.split(",")

    return read


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    subjects, scenarios = [s.name for s in SUBJECTS], [s.name for s in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=subjects, type=some_of(subjects), help=f"{subjects}")
    parser.add_argument("--scenarios", default=scenarios, type=some_of(scenarios))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cancels", type=int, default=10_000, help="cancelled streams; 0: none")
    parser.add_argument(
        "--name", default="latest", help="of bench/results/NAME.json; latest also makes the tables"
    )
    return parser.parse_args()


def main() -> None:
    """Measure, and write the results."""
    wished = arguments()
    subjects = [subject for subject in SUBJECTS if subject.name in wished.only]
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in wished.scenarios]
    for subject in subjects:
        subject.install()
    build()
    os.sched_setaffinity(0, {LOAD_CORE})
    began = time.monotonic()
    with mock_upstream() as mock:
        measured = measure_all(subjects, scenarios, mock, wished.rounds, wished.cancels)
    results = BENCH / "results" / f"{wished.name}.json"
    results.parent.mkdir(exist_ok=True)
    about = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "rounds": wished.rounds}
    results.write_text(json.dumps({**about, "subjects": measured}, indent=1) + "\n")
    print(f"{results} in {time.monotonic() - began:.0f} s")
    if wished.name == "latest":
        write_tables(wished.name)


if __name__ == "__main__":
    main()
