"""The schema accepts what the loader accepts, and names the variable of every key."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from interlingua_gateway.config.load import load
from interlingua_gateway.config.schema import json_schema

ROOT = Path(__file__).parents[3]


def test_the_checked_in_schema_is_current() -> None:
    written = json.loads((ROOT / "docs/config.schema.json").read_text("utf-8"))
    assert written == json_schema()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("{}", True),
        ("server: {listen: ['127.0.0.1:0'], drain: {delay_s: 0}}", True),
        ("providers: {x: {kind: openai, api_key: env:A}}", True),
        ("server: {listn: x}", False),
        ("providers: {x: {kind: openai, api_key: sk-1}}", False),
        ("models: [{name: x, targets: []}]", False),
        ("telemetry: {log_level: loud}", False),
    ],
)
def test_it_checks_files(text: str, valid: bool) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(yaml.safe_load(text)) is valid


def _variables(section: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    return [
        variable
        for field in section.get("properties", {}).values()
        for variable in (field["x-env"], *_inside(field, definitions))
    ]


def _inside(field: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    values = field.get("additionalProperties")
    options = [field, *field.get("anyOf", ()), values if isinstance(values, dict) else {}]
    return [
        variable
        for option in options
        if "$ref" in option
        for variable in _variables(definitions[option["$ref"].rpartition("/")[2]], definitions)
    ]


def test_every_key_outside_lists_has_its_own_variable() -> None:
    schema = json_schema()
    variables = _variables(schema, schema["$defs"])
    assert len(set(variables)) == len(variables)
    assert "INTERLINGUA__SERVER__TLS__KEY_FILE" in variables
    assert "INTERLINGUA__PROVIDERS__<NAME>__LOCAL__THREADS" in variables


def test_a_variable_of_the_schema_sets_its_key() -> None:
    field = json_schema()["$defs"]["DrainConfig"]["properties"]["longest_generation_s"]
    config = load(None, {"HOME": "/h", field["x-env"]: "7"}).config
    assert config.server.drain.longest_generation_s == 7
