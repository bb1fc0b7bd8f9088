"""The JSON schema of the configuration, with the environment variable of each key."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from interlingua_gateway.config.environment import variable_of
from interlingua_gateway.config.section import Section, section_in
from interlingua_gateway.config.tree import Config

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NAME: Final = "<NAME>"


def json_schema() -> dict[str, Any]:
    """The schema for editors and checkers; `x-env` holds the variable that sets a key.

    Items of lists have no variable: a list is given as a whole, as YAML.
    """
    schema = Config.model_json_schema()
    del schema["properties"]["data_dir"]["default"]
    definitions = {Config.__name__: schema, **schema["$defs"]}
    for section, key in _sections(Config, ()):
        described = _descriptions(section)
        for name, field in definitions[section.__name__]["properties"].items():
            field.pop("title", None)
            field["description"] = described[name]
            if key is not None:
                field["x-env"] = variable_of((*key, name))
    return {"$schema": DIALECT, **schema, "title": "Configuration of the Interlingua gateway"}


def _sections(
    section: type[Section], key: tuple[str, ...] | None
) -> Iterator[tuple[type[Section], tuple[str, ...] | None]]:
    """`section` and those under it, with their keys; None for those that stand in lists."""
    yield section, key
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if inner is not None:
            below = None if key is None else _below(field.annotation, (*key, name))
            yield from _sections(inner, below)


def _below(annotation: Any, key: tuple[str, ...]) -> tuple[str, ...] | None:
    origin = getattr(annotation, "__origin__", None)
    if origin is tuple:
        return None
    return (*key, NAME) if origin is Mapping else key


def _descriptions(section: type[Section]) -> dict[str, str]:
    """The text that stands under each field in the source of `section` and those above it."""
    found: dict[str, str] = {}
    for ancestor in reversed(section.__mro__):
        if issubclass(ancestor, Section):
            found.update(_own_descriptions(ancestor))
    return found


def _own_descriptions(section: type[Section]) -> dict[str, str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found
