"""Runs the conformance suite with the runner of one language; see README.md beside this file."""

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
    scenarios = load(HERE / "scenarios")
    chosen = [one for one in scenarios if fnmatch(one.name, options.only)]
    command = shlex.split(options.command) if options.command else _built(options.language)
    started = time.monotonic()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conformance-")))
        stage = Stage(scenarios, directory, stack)
        verdicts = []
        for verdict in stage.judge(chosen, command):
            verdicts.append(verdict)
            _show(verdict, verbose=options.verbose)
    name = options.language or "runner"
    failed = sum(bool(verdict.faults) for verdict in verdicts)
    seconds = time.monotonic() - started
    print(f"{name}: {len(verdicts) - failed} passed, {failed} failed ({seconds:.1f} s)")
    if options.language and options.only == "*":
        passed = {verdict.scenario.name: not verdict.faults for verdict in verdicts}
        Results(options.language, digest(HERE / "scenarios"), passed).write(RESULTS)
    return int(failed > 0)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run the conformance suite.")
    parser.add_argument("language", nargs="?", default="", help="a directory of clients/")
    parser.add_argument("--command", default="", help="the runner's command instead")
    parser.add_argument("--only", default="*", help="a pattern of scenario names")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what was observed")
    return parser


def _built(language: str) -> list[str]:
    """Build the runner of `language`; the last line that its script prints is the command."""
    script = CLIENTS / language / "build.sh"
    if not language or not script.exists():
        raise SystemExit("name a language that has a build.sh, or give --command")
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
