"""What is the same, and what is told where it is not."""

from __future__ import annotations

import pytest

from suite.compare import differences


@pytest.mark.parametrize(
    ("expected", "observed"),
    [
        ("a", "a"),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": None}, {}),
        ({}, {}),
        ([1, {"a": 2}], [1, {"a": 2, "b": 3}]),
        ({"$min": 1, "$max": 3}, 2),
        ({"$matches": "b+"}, "abba"),
        ({"$count": 2, "$each": {"a": 1}}, [{"a": 1}, {"a": 1, "b": 2}]),
        ({"$contains": ["b", "a"]}, ["a", "b", "c"]),
        ({"$json": {"a": [1]}}, '{ "a": [1] }'),
        ({"$optional": "x"}, "x"),
        ({"$optional": "x"}, ""),
        ({"$optional": "x"}, None),
    ],
)
def test_same(expected: object, observed: object) -> None:
    assert list(differences(expected, observed)) == []


@pytest.mark.parametrize(
    ("expected", "observed", "path"),
    [
        ("a", "b", "all"),
        (1, True, "all"),
        (0, None, "all"),
        ({}, {"a": 1}, "all"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b"),
        ({"a": {"b": 1}}, {}, "a"),
        ({"a": [1, 2]}, {"a": [1]}, "a"),
        ({"a": [1, {"b": 2}]}, {"a": [1, {}]}, "a[1].b"),
        ({"$min": 3}, 2, "all"),
        ({"$min": 3}, None, "all"),
        ({"$min": 1, "$max": 3}, 4, "all"),
        ({"$matches": "^b"}, "ab", "all"),
        ({"$each": 1, "$count": 2}, [1], "all"),
        ({"$each": 1}, None, "all"),
        ({"$each": {"a": 1}}, [{"a": 1}, {"a": 2}], "[1].a"),
        ({"$contains": ["d"]}, ["a"], "all"),
        ({"$json": {"a": 1}}, "{", "all"),
        ({"$optional": "x"}, "y", "all"),
        ({"$typo": 1}, 1, "all"),
    ],
)
def test_different(expected: object, observed: object, path: str) -> None:
    (line,) = differences(expected, observed)
    assert line.startswith(f"{path}: expected ")


def test_long_values_are_shown_in_part() -> None:
    (line,) = differences("a" * 1000, "b")
    assert len(line) < 300
    assert "1002 characters" in line
