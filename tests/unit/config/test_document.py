"""YAML becomes plain values whose places are known."""

import pytest

from interlingua_gateway.config.document import MAX_DEPTH, read_document, read_value
from interlingua_gateway.config.problems import ConfigError, Origin


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("0123", 123),
        ("0x1F", 31),
        ("0o17", 15),
        ("-7", -7),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
    ],
)
def test_values_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    read = read_value(text)
    assert read == value
    assert type(read) is type(value)


def test_origins_are_the_places_of_keys_and_items() -> None:
    document = read_document("a:\n  b: 1\n  c: [x, y]\n", "f.yaml")
    assert document.values == {"a": {"b": 1, "c": ["x", "y"]}}
    assert document.origins["a", "b"] == Origin(file="f.yaml", line=2, column=3)
    assert document.origins["a", "c", 1] == Origin(file="f.yaml", line=3, column=10)


def test_an_empty_file_is_an_empty_tree() -> None:
    assert read_document("# nothing\n", "f.yaml").values == {}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: [", 2, "not YAML"),
        ("a: 1\n---\nb: 2", 2, "not YAML"),
        ("a: 1\nb: \t\x07", 0, "not YAML"),
        ("- a", 1, "a mapping of keys is needed"),
        ("a: 1\nb: 2\na: 3", 3, "given twice, first in line 1"),
        ("a: !secret x", 1, "not a value"),
        ("a: {<<: {b: 1}}", 1, "merge keys"),
        ("? [a]\n: 1", 1, "keys are texts"),
        ("a: &a [*a]", 1, "nested too deeply"),
        ("a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), 1, "nested too deeply"),
    ],
)
def test_faults_of_form_have_a_place(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_document(text, "f.yaml")
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.origin.line == line


def test_aliases_cannot_multiply_without_bound() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(ConfigError, match="nested too deeply"):
        read_document("\n".join(lines), "f.yaml")
