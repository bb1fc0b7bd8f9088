"""`interlingua config`: check, show and describe the configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from interlingua_gateway.cli.failure import MISUSED, CommandError, stderr
from interlingua_gateway.cli.text import write
from interlingua_gateway.config.environment import process_environment
from interlingua_gateway.config.load import Loaded, load
from interlingua_gateway.config.problems import ConfigError
from interlingua_gateway.config.schema import json_schema
from interlingua_gateway.config.show import lines
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.providers.script import scripts_of

MAX_COLUMN = 60


Overrides: TypeAlias = Mapping[str, tuple[str, str]]
"""An option of a command and its value, by the environment variable that it goes before."""


def read(file: Path | None, overrides: Overrides) -> Loaded:
    """The configuration of `file`, the environment and `overrides`, which win.

    Raises:
        ConfigError: with every problem.
    """
    environment = dict(process_environment())
    environment.update((variable, value) for variable, (_, value) in overrides.items())
    return load(file, environment)


def loaded(file: Path | None, overrides: Overrides | None = None) -> Loaded:
    """The same, for a command.

    Raises:
        CommandError: with every problem, and exit code 2.
    """
    options = overrides or {}
    try:
        return read(file, options)
    except ConfigError as error:
        found = "\n".join(str(problem) for problem in error.problems)
        for variable, (option, _) in options.items():
            found = found.replace(f"{variable}:", f"{option}:")
        count = len(error.problems)
        raise CommandError(
            f"the configuration has {count} problem{'s' if count > 1 else ''}\n{found}",
            advice="`interlingua config schema` describes every key.",
            exit_code=MISUSED,
        ) from None


def check(file: Path | None) -> None:
    """Say that the configuration is right, or raise CommandError with all that is wrong."""
    found = loaded(file)
    for provider, entry in found.config.providers.items():
        try:
            scripts_of(entry.script)
        except InternalError as error:
            told = f"providers.{provider}.script: {error.message}"
            raise CommandError(told, exit_code=MISUSED) from None
    where = found.file or "The configuration without a file"
    providers, models = len(found.config.providers), len(found.config.models)
    stderr().print(f"{where} is right: providers: {providers}, models: {models}.", markup=False)


def show(file: Path | None) -> None:
    """Write the tree in force as YAML, with where each value was given."""
    shown = list(lines(loaded(file)))
    column = min(MAX_COLUMN, max(len(line) for line, _ in shown)) + 2
    for line, origin in shown:
        write(f"{line:<{column}}  # {origin}\n" if origin else f"{line}\n")


def schema() -> None:
    """Write the JSON schema."""
    write(json.dumps(json_schema(), indent=2) + "\n")
