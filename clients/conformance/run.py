"""Runs the conformance suite with the runners of languages; see README.md beside this file."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path

from suite.scenario import load
from suite.table import RESULTS, Results, digest
from suite.verdicts import Stage, Verdict

HERE = Path(__file__).resolve().parent
CLIENTS = HERE.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 if every scenario passed."""
    options = _options().parse_args(arguments)
    command = shlex.split(options.command)
    _, failed = conform(options.languages, command, pattern=options.only, verbose=options.verbose)
    return int(failed > 0)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run the conformance suite.")
    parser.add_argument("languages", nargs="*", help="directories of clients/")
    parser.add_argument("--command", default="", help="a runner's command instead")
    parser.add_argument("--only", default="*", help="a pattern of scenario names")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what was observed")
    return parser


def conform(
    languages: Sequence[str],
    command: Sequence[str] = (),
    *,
    pattern: str = "*",
    verbose: bool = False,
) -> tuple[int, int]:
    """Run the scenarios with the runner of each language, or with `command`, against one gateway.

    Returns how many passed and how many failed. Whole runs of languages are kept for the table.
    """
    scenarios = load(HERE / "scenarios")
    chosen = [one for one in scenarios if fnmatch(one.name, pattern)]
    commands = {language: _built(language) for language in languages}
    if command:
        commands = {"runner": list(command)}
    passed = failed = 0
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conformance-")))
        stage = Stage(scenarios, directory, stack)
        for name, runner in commands.items():
            started = time.monotonic()
            verdicts = []
            for verdict in stage.judge(chosen, runner):
                verdicts.append(verdict)
                _show(verdict, verbose=verbose)
            bad = sum(bool(verdict.faults) for verdict in verdicts)
            passed, failed = passed + len(verdicts) - bad, failed + bad
            seconds = time.monotonic() - started
            print(f"{name}: {len(verdicts) - bad} of {len(verdicts)} scenarios ({seconds:.1f} s)")
            if not command and pattern == "*":
                _keep(name, verdicts)
    return passed, failed


def _keep(language: str, verdicts: Sequence[Verdict]) -> None:
    passed = {verdict.scenario.name: not verdict.faults for verdict in verdicts}
    Results(language, digest(HERE / "scenarios"), passed).write(RESULTS)


def _built(language: str) -> list[str]:
    """Build the runner of `language`; the last line that its script prints is the command."""
    script = CLIENTS / language / "build.sh"
    if not script.exists():
        raise SystemExit(f"{language} has no build.sh")
    built = subprocess.run([script, "runner"], stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        print(built.stdout, end="", file=sys.stderr)
        raise SystemExit(built.returncode)
    return shlex.split(built.stdout.strip().splitlines()[-1])


def _show(verdict: Verdict, *, verbose: bool) -> None:
    if verdict.faults:
        print(f"FAILED {verdict.scenario.name}: {verdict.scenario.about}")
        for fault in verdict.faults:
            print(f"       {fault}")
    elif verbose:
        print(f"passed {verdict.scenario.name}")
    if verbose:
        print(f"       {json.dumps(verdict.normal, ensure_ascii=False)[:2000]}")


if __name__ == "__main__":
    sys.exit(main())
