"""Imports a command only when it is called, so that `--help` is quick."""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType

from interlingua_gateway.cli.failure import told


def run(command: str, *arguments: object, **options: object) -> None:
    """Call `command` of this room, such as `configuration.show`; `serve` means `serve.run`.

    A failure that is known ends the process with a line of text and an exit code.
    """
    module, _, function = command.partition(".")
    with told():
        getattr(_imported(module), function or "run")(*arguments, **options)


def _imported(command: str) -> ModuleType:
    """The module of `command`. What is imported stays: no collection need ever look at it, and
    those that would run meanwhile take a tenth of the time."""
    gc.disable()
    try:
        return import_module(f"interlingua_gateway.cli.{command}")
    finally:
        gc.freeze()
        gc.enable()
