"""YAML text into plain values, with the place of each key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import yaml

from interlingua_gateway.config.problems import ConfigError, Key, Origin, Problem

BOOL: Final = "tag:yaml.org,2002:bool"
NULL: Final = "tag:yaml.org,2002:null"
INT: Final = "tag:yaml.org,2002:int"
FLOAT: Final = "tag:yaml.org,2002:float"
MERGE: Final = "tag:yaml.org,2002:merge"
STRING: Final = "tag:yaml.org,2002:str"
MAX_DEPTH: Final = 32
MAX_NODES: Final = 100_000


class Document(msgspec.Struct, frozen=True):
    """A file's values, and where the key (or the list item) of each of them stands."""

    values: Mapping[str, Any]
    origins: Mapping[Key, Origin]


def _core_schema() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """YAML 1.2's core schema by the first character: `no` and `1:30` are texts."""
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, pattern, first in (
        (BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
        (NULL, r"~|null|Null|NULL|", ("~", "n", "N", "")),
        (MERGE, r"<<", "<"),
        (INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
        (FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
        (FLOAT, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ):
        for character in first:
            table.setdefault(character, []).append((tag, re.compile(rf"(?:{pattern})\Z")))
    return table


class _Loader(yaml.SafeLoader):
    """Composes nodes; it never constructs objects."""

    yaml_implicit_resolvers = _core_schema()


def read_document(text: str, file: str) -> Document:
    """The values of YAML text; an empty text is an empty tree.

    Raises:
        ConfigError: with every fault of the file's form.
    """
    try:
        root = _compose(text)
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, file)]) from None
    if root is None:
        return Document({}, {})
    reading = _Reading(file)
    values = reading.value(root, ())
    if not reading.problems and not isinstance(values, dict):
        reading.problems.append(Problem((), "a mapping of keys is needed", reading.origin(root)))
    if reading.problems:
        raise ConfigError(reading.problems)
    return Document(values, reading.origins)


def read_value(text: str) -> Any:
    """The plain value of one line of YAML, as in an environment variable.

    Raises:
        ConfigError: the text is not YAML.
    """
    try:
        node = _compose(text)
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, "")]) from None
    if node is None:
        return None
    reading = _Reading("")
    value = reading.value(node, ())
    if reading.problems:
        raise ConfigError(reading.problems)
    return value


class _Reading:
    """One pass over the nodes of a document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.origins: dict[Key, Origin] = {}
        self.problems: list[Problem] = []
        self._left = MAX_NODES

    def origin(self, node: yaml.Node) -> Origin:
        return _origin(node.start_mark, self.file)

    def value(self, node: yaml.Node, key: Key) -> Any:
        self._left -= 1
        if len(key) > MAX_DEPTH or self._left < 0:
            if self._left != -1:
                self.problems.append(Problem(key, "nested too deeply", self.origin(node)))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, key)
        return self._scalar(node, key)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = name_node.value if isinstance(name_node, yaml.ScalarNode) else ""
            here = (*key, name)
            if not name or name_node.tag == MERGE:
                message = "keys are texts; merge keys (<<) are not supported"
                self.problems.append(Problem(key, message, self.origin(name_node)))
            elif name in values:
                first = self.origins[here]
                message = f"given twice, first in line {first.line}"
                self.problems.append(Problem(here, message, self.origin(name_node)))
            else:
                self.origins[here] = self.origin(name_node)
                values[name] = self.value(value_node, here)
        return values

    def _sequence(self, node: yaml.SequenceNode, key: Key) -> list[Any]:
        values = []
        for index, item in enumerate(node.value):
            self.origins[(*key, index)] = self.origin(item)
            values.append(self.value(item, (*key, index)))
        return values

    def _scalar(self, node: yaml.Node, key: Key) -> Any:
        try:
            return _plain(node.tag, node.value)
        except ValueError:
            self.problems.append(Problem(key, f"not a value: {node.tag}", self.origin(node)))
            return None


def _plain(tag: str, text: str) -> str | bool | int | float | None:
    if tag == STRING:
        return text
    if tag == NULL:
        return None
    if tag == BOOL and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tag == INT:
        return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))
    if tag == FLOAT:
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    raise ValueError(tag)


def _compose(text: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _origin(mark: Any, file: str) -> Origin:
    return Origin(file=file, line=mark.line + 1, column=mark.column + 1)


def _syntax_problem(error: yaml.YAMLError, file: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        parts = [part for part in (error.context, error.problem) if part]
        message = "not YAML: " + ", ".join(parts)
        return Problem((), message, Origin(file=file) if mark is None else _origin(mark, file))
    return Problem((), "not YAML: it holds characters that YAML forbids", Origin(file=file))


def prefixes(key: Key) -> Iterator[Key]:
    """`key`, then each shorter key above it, the root excluded."""
    for length in range(len(key), 0, -1):
        yield key[:length]


def as_mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one: for those who pass over wrong forms."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> list[Any]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
