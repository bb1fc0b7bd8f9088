"""The entry point of `interlingua`: `serve` does without the library of commands, which takes 4 MB
and a tenth of the time that a start takes."""

from __future__ import annotations

import sys
from importlib import import_module

from interlingua_gateway.cli.choices import choices_of
from interlingua_gateway.cli.dispatch import run


def main() -> None:
    """Do what the command line says."""
    choices = choices_of(sys.argv[1:])
    if choices is None:
        import_module("interlingua_gateway.cli.main").main()
    else:
        run("serve", choices)
