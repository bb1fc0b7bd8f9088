"""How many inputs one embedding request may have, by provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MOST_INPUTS: Final[Mapping[str, int]] = {
    "openai": 2048,
    "azure": 2048,
    "cohere": 96,
    "gemini": 100,
    "voyage": 1000,
}
"""From the providers' own references of their embedding methods."""


def most_inputs(kind: str, model: str) -> int | None:
    """The limit of a provider of `kind` for its `model` (litellm's carry the provider's name), or
    None where none is known."""
    return MOST_INPUTS.get(model.partition("/")[0] if kind == "litellm" else kind)
