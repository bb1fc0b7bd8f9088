"""JSON schemas of answers, in the part of the language that the API holds answers to.

Facts: "Structured outputs" in Anthropic's guide. Objects must be closed (`additionalProperties` is
false), and there are no bounds of numbers, lengths and counts.
"""

from __future__ import annotations

from typing import Final

import msgspec

from interlingua_gateway.core.types import ResponseFormat
from interlingua_gateway.providers.anthropic.media import Fields
from interlingua_gateway.providers.form import Form
from interlingua_gateway.providers.options import json_of

_LACKS: Final = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength",
    "minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems",
    "minProperties", "maxProperties", "patternProperties", "propertyNames",
    "dependentRequired", "dependentSchemas", "unevaluatedProperties",
    "if", "then", "else", "not",
)  # fmt: skip
"""What schemas may say and the API refuses."""
_OF_NAMES: Final = ("properties", "$defs", "definitions")
_OF_LISTS: Final = ("anyOf", "allOf", "oneOf")


def output_schema(form: Form, wanted: ResponseFormat) -> object:
    """The schema of `wanted`. Where it says more than the API can hold an answer to, the model is
    told of it in a description, and the caller in a warning.

    Raises:
        CallerError: it is not JSON, or says more and is to be held exactly by a caller who is not
            lenient.
    """
    path = "response_format.json_schema.schema_json"
    lacked: set[str] = set()
    schema = _fitted(json_of(wanted.json_schema, path), lacked)
    if lacked:
        text = f"this API does not hold answers to {', '.join(sorted(lacked))}"
        if wanted.strict:
            form.refuse(path, text)
        else:
            form.warn(path, f"{text}; the model is told of it")
    return schema


def _fitted(schema: object, lacked: set[str]) -> object:
    if not isinstance(schema, dict):
        return schema
    fitted: Fields = {}
    told: Fields = {}
    for key, value in schema.items():
        if key not in _LACKS or (key == "minItems" and value in (0, 1)):
            name = "anyOf" if key == "oneOf" else key
            fitted[name] = _inner(key, value, lacked)
        elif value is not False:  # which says nothing, or what closing an object says
            told[key] = value
    kinds = schema.get("type")
    if "object" in (kinds if isinstance(kinds, list) else [kinds]):
        _close(schema, fitted, told)
    lacked.update(told)
    if told:
        said = msgspec.json.encode(told).decode()
        before = fitted.get("description")
        fitted["description"] = f"{before}\n{said}" if before else said
    return fitted


def _inner(key: str, value: object, lacked: set[str]) -> object:
    """The value of a keyword, with the schemas in it fitted."""
    if key in _OF_LISTS and isinstance(value, list):
        return [_fitted(schema, lacked) for schema in value]
    if key in _OF_NAMES and isinstance(value, dict):
        return {name: _fitted(schema, lacked) for name, schema in value.items()}
    return _fitted(value, lacked) if key == "items" else value


def _close(schema: Fields, fitted: Fields, told: Fields) -> None:
    """Answers with the named properties only satisfy an open schema too; where it names none, or
    says how further ones must be, that is more than the API takes."""
    fitted["additionalProperties"] = False
    open_to = schema.get("additionalProperties", True)
    if open_to is not False and (not schema.get("properties") or isinstance(open_to, dict)):
        told["additionalProperties"] = open_to
