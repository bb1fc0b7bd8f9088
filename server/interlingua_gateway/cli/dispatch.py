"""Imports a command only when it is called, so that `--help` is quick."""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType
from typing import Final

from interlingua_gateway.cli.failure import told

GRPC_LOG: Final = "GRPC_VERBOSITY"
"""What gRPC's core writes to stderr in a form of its own; it reads this when it is imported."""


def run(command: str, *arguments: object, **options: object) -> None:
    """Call `command` of this room, such as `configuration.show`; `serve` means `serve.run`.

    A failure that is known ends the process with a line of text and an exit code. Of gRPC's core
    errors are shown, unless the environment asks for more: each failed TLS handshake would be a
    line among the answers of a command and the JSON of a gateway's log.
    """
    environment = import_module("interlingua_gateway.config.environment").process_environment()
    environment.setdefault(GRPC_LOG, "ERROR")
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
