"""Imports a command only when it is called, so that `--help` is quick."""

from __future__ import annotations

from importlib import import_module

from interlingua_gateway.cli.failure import told


def run(command: str, *arguments: object, **options: object) -> None:
    """Call `command` of this room, such as `configuration.show`; `serve` means `serve.run`.

    A failure that is known ends the process with a line of text and an exit code.
    """
    module, _, function = command.partition(".")
    with told():
        imported = import_module(f"interlingua_gateway.cli.{module}")
        getattr(imported, function or "run")(*arguments, **options)
