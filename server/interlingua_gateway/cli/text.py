"""What models and callers wrote, safe for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping

CONTROLS: Mapping[int, None] = dict.fromkeys(
    code for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
)


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
