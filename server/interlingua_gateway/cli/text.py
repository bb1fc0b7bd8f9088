"""What is asked on standard input, and what models and callers wrote, safe for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from interlingua_gateway.cli.failure import stderr

CONTROLS: Mapping[int, None] = dict.fromkeys(
    code for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
)


def read() -> str:
    """All of stdin; who sits at a terminal is told that it is waited for."""
    if sys.stdin.isatty():
        stderr().print("Type it here; Ctrl-D on a line of its own ends it.", style="dim")
    return sys.stdin.read()


def write(text: str) -> None:
    """Write to stdout at once; a terminal gets no control characters, a file gets all."""
    sys.stdout.write(text.translate(CONTROLS) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def plain(text: str) -> str:
    """`text` for a cell of a table: on one line, without control characters."""
    return " ".join(text.translate(CONTROLS).split())


def end_line(written: str) -> None:
    """End the line if what was written did not."""
    if not written.endswith("\n"):
        write("\n")
