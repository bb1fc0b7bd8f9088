"""From a file and the environment to the frozen tree, or to everything that is wrong with them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from interlingua_gateway.config.checks import disagreements
from interlingua_gateway.config.defaults import fill
from interlingua_gateway.config.document import Document, prefixes, read_document
from interlingua_gateway.config.environment import FILE_VARIABLE, overlay
from interlingua_gateway.config.problems import (
    ConfigError,
    Key,
    Origin,
    Problem,
    suggestion,
)
from interlingua_gateway.config.secret import Surroundings
from interlingua_gateway.config.section import Section, section_in
from interlingua_gateway.config.tree import Config


class Loaded(msgspec.Struct, frozen=True):
    """The tree, the file it was read from (None without one), and where each value was given.

    `origins` has the keys that were given; the rest of the tree are defaults.
    """

    config: Config
    file: Path | None
    origins: Mapping[Key, Origin]


def load(file: Path | None, environment: Mapping[str, str]) -> Loaded:
    """Read `file` (or the one that INTERLINGUA_CONFIG names, or none) under `environment`.

    Raises:
        ConfigError: with every problem that was found, each with its key and where it was given.
    """
    if file is None and environment.get(FILE_VARIABLE):
        file = Path(environment[FILE_VARIABLE])
    document = Document({}, {}) if file is None else _read(file)
    values = copy.deepcopy(dict(document.values))
    origins = dict(document.origins)
    problems = overlay(values, origins, environment)
    fill(values, origins, environment)
    directory = Path.cwd() if file is None else file.absolute().parent
    config = tree_of(values, origins, Surroundings(environment, directory), problems)
    return Loaded(config, file, origins)


def tree_of(
    values: Mapping[str, Any],
    origins: Mapping[Key, Origin],
    surroundings: Surroundings,
    problems: Sequence[Problem] = (),
) -> Config:
    """The tree of `values` that were given at `origins`; `problems` are known already.

    Raises:
        ConfigError: with these and every further problem.
    """
    found = list(problems)
    config = None
    try:
        config = Config.model_validate(values, context=surroundings)
    except ValidationError as error:
        found += _translated(error, origins)
    found += [
        Problem(key, message, nearest(key, origins)) for key, message in disagreements(values)
    ]
    if config is None or found:
        raise ConfigError(sorted(found, key=_place))
    return config


def _read(file: Path) -> Document:
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        message = f"cannot read the file: {error.strerror}"
        raise ConfigError([Problem((), message, Origin(file=str(file)))]) from None
    except UnicodeDecodeError:
        message = "the file is not UTF-8 text"
        raise ConfigError([Problem((), message, Origin(file=str(file)))]) from None
    return read_document(text, str(file))


def _place(problem: Problem) -> tuple[bool, int, int, str]:
    origin = problem.origin
    return not origin.file, origin.line, origin.column, str(problem)


def nearest(key: Key, origins: Mapping[Key, Origin]) -> Origin:
    """Where `key`, or else the part of the tree that holds it, was given."""
    return next((origins[near] for near in prefixes(key) if near in origins), Origin())


def _translated(error: ValidationError, origins: Mapping[Key, Origin]) -> Iterator[Problem]:
    all_details = error.errors(include_url=False, include_input=False)
    keys = [tuple(part for part in details["loc"] if part != "[key]") for details in all_details]
    for details, key in zip(all_details, keys, strict=True):
        counts_bad_items = details["type"] == "too_short" and any(
            len(other) > len(key) and other[: len(key)] == key for other in keys
        )
        if not counts_bad_items:
            yield Problem(key, _message(details, key), nearest(key, origins))


def _message(details: ErrorDetails, key: Key) -> str:
    kind = details["type"]
    if kind == "extra_forbidden":
        return f"unknown key{suggestion(str(key[-1]), _section_at(key[:-1]).model_fields)}"
    if kind == "missing":
        return "needed, but not given"
    if kind in ("model_type", "mapping_type", "dict_type", "model_attributes_type"):
        return "a mapping of keys is needed"
    if kind in ("tuple_type", "too_short"):
        return "a list with at least one item is needed"
    text = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return text[:1].lower() + text[1:]


def _section_at(key: Key) -> type[Section]:
    """The section of the tree that `key` names."""
    section: type[Section] = Config
    for part in key:
        if isinstance(part, str) and part in section.model_fields:
            section = section_in(section.model_fields[part].annotation) or section
    return section
