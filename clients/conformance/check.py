"""Checks every client as CI does: stubs, style, tests, package, conformance, a consumer of each."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from run import HERE, conform

from suite.process import GatewayProcess
from suite.scenario import load
from suite.table import DOCUMENT, LANGUAGES, RESULTS, digest, document, read

CLIENTS = HERE.parent
LOGS = CLIENTS.parent / ".cache" / "clients"
MISSING = 3
"""Exit code of `build.sh toolchain` where something is missing that it cannot install."""
EMBEDDED = {
    "providers": {"local": {"kind": "local", "local": {"max_output_tokens": 48}}},
}
"""The gateway of the consumers: the embedded model, with short answers."""


class Tally:
    """How many checks passed and failed; each is told as it ends."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, name: str, done: Callable[[], bool]) -> bool:
        """Run one check and tell how it ended."""
        started = time.monotonic()
        good = done()
        self.count(int(good), int(not good))
        word = "passed" if good else "FAILED"
        print(f"{word} {name} ({time.monotonic() - started:.1f} s)", flush=True)
        return good

    def count(self, passed: int, failed: int) -> None:
        self.passed += passed
        self.failed += failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 if every check of every language that is here passed."""
    parser = argparse.ArgumentParser(description="Check the clients.")
    parser.add_argument("languages", nargs="*", help=f"of {', '.join(LANGUAGES)}; all by default")
    wanted = parser.parse_args(arguments).languages or list(LANGUAGES)
    tally = Tally()
    present = [language for language in wanted if _has_toolchain(language)]
    built = [language for language in present if _built(language, tally)]
    if built:
        tally.count(*conform(built))
        _consume(built, tally)
    if set(built) == set(LANGUAGES):
        tally.check("docs/conformance.md is that of this run", _document_is_fresh)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return int(tally.failed > 0)


def _has_toolchain(language: str) -> bool:
    """Tells in one line what is missing; the toolchain's own script installs what it can."""
    done = _step(language, "toolchain")
    if done.returncode == MISSING:
        print(f"MISSING {_log(language, 'toolchain').read_text().strip().splitlines()[-1]}")
    elif done.returncode != 0:
        raise SystemExit(f"{language}: the toolchain cannot be made ready")
    return done.returncode == 0


def _built(language: str, tally: Tally) -> bool:
    """Whether there is something to run: it is linted and tested, whether or not that passes."""
    tally.check(f"{language} gen", partial(_is_generated, language))
    for step in ("lint", "test"):
        tally.check(f"{language} {step}", partial(_run, language, step))
    return tally.check(f"{language} package", partial(_run, language, "package"))


def _is_generated(language: str) -> bool:
    """Generate the stubs; they must be those that were there."""
    before = _fingerprint(language)
    if not _run(language, "gen"):
        return False
    if _fingerprint(language) != before:
        print(f"The stubs of {language} were stale; what make gen writes is there now: commit it.")
        return False
    return True


def _fingerprint(language: str) -> str:
    """Tells one state of a client's files, as git sees them, from another."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", language],
        cwd=CLIENTS,
        check=True,
        capture_output=True,
    )
    found = hashlib.sha256()
    for name in sorted(set(listing.stdout.split(b"\0"))):
        path = CLIENTS / os.fsdecode(name)
        found.update(name + (path.read_bytes() if path.is_file() else b""))
    return found.hexdigest()


def _consume(languages: Sequence[str], tally: Tally) -> None:
    """Let a project outside of the tree stream tokens with each client's published artefact."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="consumers-")))
        gateway = GatewayProcess(EMBEDDED, directory)
        stack.callback(gateway.close)
        gateway.start()
        for language in languages:
            consume = partial(_run, language, "consumer", gateway.address)
            tally.check(f"{language} consumer", consume)


def _run(language: str, step: str, address: str = "") -> bool:
    """Run a step; its output is shown only if it failed."""
    done = _step(language, step, address)
    if done.returncode != 0:
        print(_log(language, step).read_text("utf-8", "replace")[-6000:])
    return done.returncode == 0


def _step(language: str, step: str, address: str = "") -> subprocess.CompletedProcess[bytes]:
    log = _log(language, step)
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "INTERLINGUA_ADDRESS": address}
    with log.open("wb") as out:
        return subprocess.run(
            [CLIENTS / language / "build.sh", step],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            check=False,
        )


def _log(language: str, step: str) -> Path:
    return LOGS / language / f"{step}.log"


def _document_is_fresh() -> bool:
    """Write the table of this run; it must be the one that was there."""
    scenarios = load(HERE / "scenarios")
    fresh = document(scenarios, read(RESULTS, digest(HERE / "scenarios")))
    stood = DOCUMENT.read_text("utf-8") if DOCUMENT.exists() else ""
    DOCUMENT.write_text(fresh, "utf-8")
    if fresh != stood:
        print("docs/conformance.md was stale; it is written anew: commit it.")
    return fresh == stood


if __name__ == "__main__":
    sys.exit(main())
