"""Drives one runner: starts it, reads its observations, and does what its pauses are for."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

SILENCE_S = 40.0
"""Longest time without a line; a scenario takes a few seconds."""

OnPause = Callable[[str], None]
Line = Mapping[str, object]


class RunnerError(Exception):
    """The runner does not keep to the protocol, hangs or has ended early."""


def observations(
    command: Sequence[str], address: str, plan: Path, on_pause: OnPause
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Name and observation of each scenario, as they come.

    Raises:
        RunnerError: the runner went wrong; what it observed until then has been given.
    """
    with subprocess.Popen(
        [*command, address, str(plan)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as runner:
        try:
            yield from _read(runner, on_pause)
            if (code := runner.wait(SILENCE_S)) != 0:
                raise RunnerError(f"the runner ended with {code}")
        except subprocess.TimeoutExpired as error:
            raise RunnerError("the runner does not end") from error
        finally:
            runner.kill()


def _read(
    runner: subprocess.Popen[str], on_pause: OnPause
) -> Iterator[tuple[str, Mapping[str, object]]]:
    if runner.stdin is None or runner.stdout is None:
        raise RunnerError("the runner has no pipes")
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pump, args=(runner.stdout, lines), daemon=True).start()
    while (text := _next(lines)) is not None:
        line = _decoded(text)
        if "pause" in line:
            on_pause(str(line["pause"]))
            runner.stdin.write("go\n")
            runner.stdin.flush()
        elif isinstance(observed := line.get("observed"), Mapping):
            yield str(line.get("scenario")), observed
        else:
            raise RunnerError(f"not an observation: {text:.200}")


def _pump(source: Iterator[str], lines: queue.Queue[str | None]) -> None:
    for text in source:
        lines.put(text)
    lines.put(None)


def _next(lines: queue.Queue[str | None]) -> str | None:
    try:
        return lines.get(timeout=SILENCE_S)
    except queue.Empty as error:
        raise RunnerError(f"nothing was observed for {SILENCE_S:.0f} s") from error


def _decoded(text: str) -> Line:
    try:
        line = json.loads(text)
    except ValueError as error:
        raise RunnerError(f"not JSON: {text:.200}") from error
    if not isinstance(line, Mapping):
        raise RunnerError(f"not an object: {text:.200}")
    return line
