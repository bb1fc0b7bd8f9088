"""What is wrong with a configuration, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

Key: TypeAlias = tuple[str | int, ...]
"""Where a value stands in the tree, such as ("models", 0, "name")."""


class Origin(msgspec.Struct, frozen=True):
    """Where a value was given: a variable, or a place in a file (from 1; 0 means all of it)."""

    file: str = ""
    line: int = 0
    column: int = 0
    variable: str = ""

    def __str__(self) -> str:
        if self.variable:
            return self.variable
        place = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.file}{place}" if self.file else "default"


class Problem(msgspec.Struct, frozen=True):
    """One thing to mend; `message` never holds a secret."""

    key: Key
    message: str
    origin: Origin = Origin()

    def __str__(self) -> str:
        where = "" if self.origin == Origin() else f"{self.origin}: "
        return f"{where}{dotted(self.key)}: {self.message}" if self.key else where + self.message


class ConfigError(Exception):
    """The configuration cannot be used; `problems` are all that were found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def dotted(key: Key) -> str:
    """`key` as people write it: models[0].targets[1].price."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def suggestion(wrong: str, right: Iterable[str]) -> str:
    """`; did you mean 'listen'?`, or the choices if none is near and they are few."""
    names = sorted(right)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are: {', '.join(names)}" if 0 < len(names) <= 30 else ""
