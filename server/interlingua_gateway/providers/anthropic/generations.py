"""What a Claude model takes, by the generation that its name tells.

Facts: "Extended thinking", "Adaptive thinking", "Effort" and the migration guides of Anthropic's
documentation. Models up to 4.5 think by a budget of tokens, later ones by an effort, and 4.6 by
either; after 4.6 nobody chooses how tokens are drawn. The older ones are a closed set, so they are
known by their names, and a name that is still to come is of the latest generation.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec


class Generation(msgspec.Struct, frozen=True):
    """Whether requests may name a budget of thought, an effort, and how tokens are drawn
    (temperature, top_p and top_k)."""

    budget: bool
    effort: bool
    sampling: bool


TO_4_5: Final = Generation(budget=True, effort=False, sampling=True)
OF_4_6: Final = Generation(budget=True, effort=True, sampling=True)
LATER: Final = Generation(budget=False, effort=True, sampling=False)

_TO_4_5: Final = re.compile(r"claude-(3|(opus|sonnet|haiku)-4(-[0-5])?(-\d{8}|-latest)?$)")
_OF_4_6: Final = re.compile(r"claude-(opus|sonnet|haiku)-4-6(-|$)")


def generation_of(model: str) -> Generation:
    """The generation of `model`. Other makers' models behind this API are not known to refuse
    anything."""
    if _TO_4_5.match(model):
        return TO_4_5
    return OF_4_6 if _OF_4_6.match(model) or not model.startswith("claude-") else LATER
