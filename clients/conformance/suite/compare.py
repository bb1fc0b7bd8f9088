"""Compares what was observed with what was expected, and says where they differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

SHOWN = 200


def differences(expected: object, observed: object, path: str = "") -> Iterator[str]:
    """One line for each difference.

    Keys that are not expected do not matter; lists must have the same length. Keys that begin with
    `$` are conditions: `$min` and `$max` (numbers), `$matches` (a regular expression), `$count`
    (how many items), `$contains` (these items of a list), `$json` (a JSON text of that value),
    `$optional` (absent, empty, or that) and `$each` (that of every item).
    """
    if isinstance(expected, Mapping):
        conditions = [key for key in expected if isinstance(key, str) and key.startswith("$")]
        for name in conditions:
            yield from _condition(name, expected[name], observed, path)
        if not conditions:
            yield from _of_mappings(expected, observed, path)
    elif isinstance(expected, list):
        yield from _of_lists(expected, observed, path)
    elif expected != observed or isinstance(expected, bool) is not isinstance(observed, bool):
        yield _differs(path, expected, observed)


def _of_mappings(expected: Mapping[str, object], observed: object, path: str) -> Iterator[str]:
    if not isinstance(observed, Mapping) or (not expected and observed):
        yield _differs(path, expected, observed)
        return
    for key, value in expected.items():
        yield from differences(value, observed.get(key), f"{path}.{key}" if path else str(key))


def _of_lists(expected: Sequence[object], observed: object, path: str) -> Iterator[str]:
    if not isinstance(observed, list) or len(observed) != len(expected):
        yield _differs(path, expected, observed)
        return
    for index, (one, other) in enumerate(zip(expected, observed, strict=True)):
        yield from differences(one, other, f"{path}[{index}]")


def _condition(name: str, wanted: object, observed: object, path: str) -> Iterator[str]:
    if name == "$each" and isinstance(observed, list):
        for index, item in enumerate(observed):
            yield from differences(wanted, item, f"{path}[{index}]")
    elif name == "$optional":
        if observed not in (None, "", [], {}):
            yield from differences(wanted, observed, path)
    elif not _holds(name, wanted, observed):
        yield _differs(path, {name: wanted}, observed)


def _holds(name: str, wanted: object, observed: object) -> bool:
    match name, observed:
        case "$min", int() | float():
            return observed >= float(str(wanted))
        case "$max", int() | float():
            return observed <= float(str(wanted))
        case "$matches", str():
            return re.search(str(wanted), observed) is not None
        case "$count", list():
            return len(observed) == wanted
        case "$contains", list():
            return isinstance(wanted, list) and all(item in observed for item in wanted)
        case "$json", str():
            return _is_json(observed, wanted)
    return False


def _is_json(text: str, value: object) -> bool:
    try:
        return bool(json.loads(text) == value)
    except ValueError:
        return False


def _differs(path: str, expected: object, observed: object) -> str:
    return f"{path or 'all'}: expected {_short(expected)}, observed {_short(observed)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"
