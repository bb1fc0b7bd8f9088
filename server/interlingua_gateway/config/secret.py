"""Secrets: values that never show themselves, given in the configuration by reference only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

MASK: Final = "********"
GIVEN: Final = "the program"
"""The reference of secrets that a program has given as they are."""
HOW: Final = "write env:NAME (an environment variable) or file:/path (a file that holds only it)"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CONFIDENTIAL = re.compile(
    r"(?i)(^|_)(api_?key|key|token|secret|password|passwd|credentials?|authorization|cookie)\Z"
)


class Surroundings(msgspec.Struct, frozen=True):
    """What references are resolved against: the environment and the directory of the file."""

    environment: Mapping[str, str]
    directory: Path


class Secret:
    """A secret text; `repr`, `str` and formatting show a mask, `reveal()` the text itself.

    `reference` says where it came from, such as `env:OPENAI_API_KEY`.
    """

    __slots__ = ("_text", "reference")

    def __init__(self, text: str, reference: str) -> None:
        self._text = text
        self.reference = reference

    def reveal(self) -> str:
        """The secret itself, for the request that needs it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not written out")

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda secret: secret.reference, when_used="unless-none"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"}


def is_reference(value: object) -> bool:
    """Whether `value` is written as `env:NAME` or `file:/path`."""
    return isinstance(value, str) and value.startswith(("env:", "file:"))


def is_confidential(name: str) -> bool:
    """Whether a free key of this name (a header, a parameter) must hold a reference."""
    return _CONFIDENTIAL.search(name.replace("-", "_")) is not None


def resolve(reference: str, surroundings: Surroundings) -> Secret:
    """The secret that `reference` names.

    Raises:
        ValueError: it names nothing that can be read; the message never holds what was written
            unless that is a reference.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and _VARIABLE.match(name):
        return Secret(_from_environment(name, surroundings.environment), reference)
    if kind == "file" and name:
        path = surroundings.directory / Path(name).expanduser()
        return Secret(_from_file(path), reference)
    raise ValueError(f"a secret is not written into the configuration; {HOW}")


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    text = environment.get(name, "").strip()
    if not text:
        raise ValueError(f"the environment variable {name} is not set")
    return text


def _from_file(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot read the secret from {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read the secret from {path}: it is not UTF-8 text") from None
    if not text:
        raise ValueError(f"the secret file {path} is empty")
    return text


def _read(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not isinstance(info.context, Surroundings):
        raise ValueError(f"a secret is not written into the configuration; {HOW}")
    return resolve(value, info.context)
