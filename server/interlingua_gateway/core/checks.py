"""Checks of what requests are built from; each raises CallerError for the field at fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

import msgspec

from interlingua_gateway.core.errors import CallerError

MAX_CANDIDATES: Final = 128
MAX_DIMENSIONS: Final = 65_536
MAX_TOP_LOGPROBS: Final = 20
IDEMPOTENCY_KEY_LIMIT: Final = 256

SAMPLING_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "top_k": (1, 2**31 - 1),
    "min_p": (0, 1),
    "max_output_tokens": (1, 2**31 - 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "top_logprobs": (0, MAX_TOP_LOGPROBS),
}
"""What each number of the sampling options may be, by its name in the contract and in Sampling."""

NAME_LIMIT: Final = 64
MAX_TAGS: Final = 32
TAG_LIMIT: Final = 256
MAX_METADATA: Final = 32
METADATA_KEY_LIMIT: Final = 64
METADATA_LIMIT: Final = 1024
"""Of what is kept with an operation, in characters: each tag has totals of its own."""

DIALECTS: Final = frozenset(
    {
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "http://json-schema.org/draft-07/schema",
        "http://json-schema.org/draft-06/schema",
        "http://json-schema.org/draft-04/schema",
        "http://json-schema.org/schema",
    }
)
"""What `$schema` may name. The validator would fetch anything else, from files and the network."""

_bad = CallerError.of_field


def schema(text: str, field: str) -> None:
    """Refuse a text that is not a JSON Schema.

    Raises:
        CallerError: the text is no JSON object, or the object is no valid JSON Schema.
    """
    value = json_object(text, field)
    dialect = value.get("$schema", "http://json-schema.org/schema")
    if not isinstance(dialect, str) or dialect.removesuffix("#") not in DIALECTS:
        raise _bad(field, "names a dialect in `$schema` that is not one of JSON Schema's drafts")
    # Imported with the first schema: it takes 3 MB, and few calls have one.
    library = import_module("jsonschema_rs")
    try:
        library.meta.validate(value)
    except library.ValidationError as error:
        where = "/".join(str(step) for step in error.instance_path)
        raise _bad(field, f"is not a valid JSON Schema: {error.message} at /{where}") from error


def json_object(text: str, field: str) -> dict[str, object]:
    """The object that `text` holds, or refuse it."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise _bad(field, f"is not a JSON object: {error}") from error
    except RecursionError as error:
        raise _bad(field, "is nested too deeply") from error


def name(text: str, field: str) -> None:
    """Refuse what providers do not take as the name of a tool or schema."""
    plain = text.replace("_", "a").replace("-", "a")
    if not (plain.isascii() and plain.isalnum() and len(text) <= NAME_LIMIT):
        raise _bad(field, f"must be 1 to {NAME_LIMIT} letters, digits, `_` or `-`")


def tags(values: Sequence[str]) -> None:
    """Refuse more tags, or longer ones, than are kept with an operation."""
    if len(values) > MAX_TAGS:
        raise _bad("tags", f"must be at most {MAX_TAGS}")
    for i, value in enumerate(values):
        if len(value) > TAG_LIMIT:
            raise _bad(f"tags[{i}]", f"must be at most {TAG_LIMIT} characters")


def metadata(values: Mapping[str, str]) -> None:
    """Refuse more labels, or longer ones, than are kept with an operation."""
    if len(values) > MAX_METADATA:
        raise _bad("metadata", f"must be at most {MAX_METADATA} labels")
    for key, value in values.items():
        if len(key) > METADATA_KEY_LIMIT:
            raise _bad("metadata", f"keys must be at most {METADATA_KEY_LIMIT} characters")
        if len(value) > METADATA_LIMIT:
            raise _bad(f"metadata[{key}]", f"must be at most {METADATA_LIMIT} characters")


def unique(values: list[str], field: str, attribute: str) -> None:
    """Refuse a value that stands twice in a list of `field`."""
    for i, value in enumerate(values):
        if value in values[:i]:
            raise _bad(f"{field}[{i}].{attribute}", f"`{value}` is there twice")


def within(values: Mapping[str, float], ranges: Mapping[str, tuple[float, float]], of: str) -> None:
    """Refuse a value of the field `of` that is not in its range."""
    for key, (low, high) in ranges.items():
        if key in values and not low <= values[key] <= high:
            raise _bad(f"{of}.{key}", f"must be from {low} to {high}")
