"""The tree in force as YAML, each line with where its value was given; secrets as references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from interlingua_gateway.config.document import read_value
from interlingua_gateway.config.load import Loaded
from interlingua_gateway.config.problems import ConfigError, Key, Origin
from interlingua_gateway.config.secret import Secret


def lines(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """Lines of YAML, each with the origin of its value (empty for a line that opens a section).

    Of providers and models only what is not a default of theirs is shown. The text is itself a
    configuration file: a secret stands there as the reference that names it.
    """
    for name in type(loaded.config).model_fields:
        value = getattr(loaded.config, name)
        yield from _key_lines(name, value, (name,), "", loaded.origins)


def _key_lines(
    name: str, value: Any, key: Key, indent: str, origins: Mapping[Key, Origin]
) -> Iterator[tuple[str, str]]:
    opening = f"{indent}{_scalar(name)}:"
    if _is_section(value):
        yield opening, ""
        for inner, item in _fields(value, key):
            yield from _key_lines(inner, item, (*key, inner), indent + "  ", origins)
    elif isinstance(value, tuple) and any(_is_section(item) for item in value):
        yield opening, ""
        for index, item in enumerate(value):
            first = True
            for inner, field in _fields(item, (*key, index)):
                prefix = indent + ("  - " if first else "    ")
                here = (*key, index, inner)
                for text, origin in _key_lines(inner, field, here, "", origins):
                    yield prefix + text, origin
                    prefix, first = indent + "    ", False
    else:
        yield f"{opening} {_inline(value)}", str(origins.get(key, Origin()))


def _is_section(value: Any) -> bool:
    return (isinstance(value, BaseModel | Mapping)) and bool(_fields(value, ()))


def _fields(value: Any, key: Key) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), item) for name, item in value.items()]
    assert isinstance(value, BaseModel)
    fields = type(value).model_fields
    shown = [(name, getattr(value, name)) for name in fields]
    if key[:1] not in (("providers",), ("models",)):
        return shown
    return [
        (name, item)
        for name, item in shown
        if fields[name].is_required() or item != fields[name].get_default(call_default_factory=True)
    ]


def _inline(value: Any) -> str:
    if isinstance(value, frozenset):
        value = tuple(sorted(value))
    if isinstance(value, tuple):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(k)}: {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, Secret):
        return _scalar(value.reference)
    if isinstance(value, str | Path):
        return _scalar(str(value))
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _scalar(text: str) -> str:
    """`text` plain where YAML reads it back as it is, else in quotation marks."""
    try:
        plain = (
            read_value(text) == text
            and read_value(f"[{text}]") == [text]
            and read_value(f"{{{text}: 1}}") == {text: 1}
        )
    except ConfigError:
        plain = False
    return text if plain else json.dumps(text, ensure_ascii=False)
