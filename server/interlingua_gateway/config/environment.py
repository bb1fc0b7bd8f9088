"""The environment: the one place that reads it, and the overlay that its variables form."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final

from interlingua_gateway.config.document import as_list, as_mapping, read_value
from interlingua_gateway.config.problems import ConfigError, Key, Origin, Problem

PREFIX: Final = "INTERLINGUA__"
FILE_VARIABLE: Final = "INTERLINGUA_CONFIG"
ADDRESS_VARIABLE: Final = "INTERLINGUA_ADDRESS"
API_KEY_VARIABLE: Final = "INTERLINGUA_API_KEY"
CA_FILE_VARIABLE: Final = "INTERLINGUA_CA_FILE"


def process_environment() -> MutableMapping[str, str]:
    """This process's own environment, alive: a library that reads switches there can be set up."""
    return os.environ  # noqa: TID251 - this is its room


def variable_of(key: Sequence[str]) -> str:
    """The variable that sets `key`: ("server", "listen") is INTERLINGUA__SERVER__LISTEN."""
    return PREFIX + "__".join(part.upper() for part in key)


def overlay(
    values: dict[str, Any], origins: dict[Key, Origin], environment: Mapping[str, str]
) -> list[Problem]:
    """Put what INTERLINGUA__ variables say into `values`, over what stands there.

    Shorter keys first, so that a whole section can be given and one key of it changed. Returns
    what could not be put in.
    """
    problems: list[Problem] = []
    names = [name for name in environment if name.startswith(PREFIX)]
    for name in sorted(names, key=lambda name: (name.count("__"), name)):
        key = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
        origin = Origin(variable=name)
        try:
            if not all(key):
                raise ConfigError([Problem((), "a part of the name is empty")])
            value = read_value(environment[name])
            _put(values, key, value)
        except ConfigError as error:
            problems += [Problem(key, problem.message, origin) for problem in error.problems]
            continue
        for other in [other for other in origins if other[: len(key)] == key]:
            del origins[other]
        origins.update(dict.fromkeys(_keys_in(value, key), origin))
    return problems


def _keys_in(value: Any, key: Key) -> Iterator[Key]:
    yield key
    for name, item in as_mapping(value).items():
        yield from _keys_in(item, (*key, name))
    for index, item in enumerate(as_list(value)):
        yield from _keys_in(item, (*key, index))


def _put(values: dict[str, Any], key: tuple[str, ...], value: Any) -> None:
    section = values
    for depth, part in enumerate(key[:-1], 1):
        if section.get(part) is None:
            section[part] = {}
        if isinstance(section[part], list):
            whole = variable_of(key[:depth])
            raise ConfigError([Problem((), f"a list is given as a whole, in {whole}")])
        if not isinstance(section[part], dict):
            section[part] = {}
        section = section[part]
    section[key[-1]] = value
