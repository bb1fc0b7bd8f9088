"""Failures of a command as one line that says what is wrong, and one that says what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from rich.console import Console

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130


class CommandError(Exception):
    """A command cannot go on. `advice` says what to do; `exit_code` is the process's."""

    def __init__(self, message: str, *, advice: str = "", exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.exit_code = exit_code


def stderr() -> Console:
    """The terminal for everything that is not the result of a command."""
    # Imported when something is to be said: a gateway whose log is read by machines says nothing.
    made = import_module("rich.console").Console(stderr=True, highlight=False, soft_wrap=True)
    return cast("Console", made)


@contextmanager
def told() -> Iterator[None]:
    """Turn failures into lines on stderr and an exit code; never a traceback for a known one."""
    try:
        yield
    except CommandError as error:
        _tell(error.message, error.advice)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Who read our output has gone; there is nobody to tell.
        sys.stderr.close()
        sys.exit(FAILED)
    except OSError as error:
        _tell(f"{error.filename or 'the system'}: {error.strerror or error}", "")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _tell(message: str, advice: str) -> None:
    console = stderr()
    console.print("[bold red]error:[/] ", end="")
    console.print(message, markup=False)
    if advice:
        console.print(advice, markup=False, style="dim")
