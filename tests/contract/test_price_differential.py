"""Costs of every model of litellm's price map, by litellm's own functions and by ours.

They are equal to the nano-dollar, or the difference is one of EXPLAINED.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.prices import Price, cost_of
from interlingua_gateway.providers.price_map import installed_file, load

ROOT = Path(__file__).parents[2]
SERVED = ("chat", "completion", "responses", "embedding")
LONG = 600_000
USAGES: Mapping[str, tuple[str, Usage]] = {
    # What it is, for entries with which words in their keys, and the usage.
    "plain": ("", Usage(1_001, 503)),
    "cached": ("", Usage(10_007, 2_003, cached_input_tokens=7_001, reasoning_tokens=1_511)),
    "written": ("cache_creation", Usage(9_001, 101, 3_001, 4_003, cache_write_1h_input_tokens=999)),
    "audio": ("audio", Usage(901, 307, audio_input_tokens=401, audio_output_tokens=211)),
    "image": ("image", Usage(907, 1_301, image_input_tokens=409, image_output_tokens=1_290)),
    "long": ("above_|tiered", Usage(LONG, 4_001, cached_input_tokens=100_003, reasoning_tokens=7)),
    "middle": ("above_|tiered", Usage(210_001, 4_001, cached_input_tokens=100_003)),
    "edge": ("above_|tiered", Usage(200_000, 4_001)),
}
TIERS = ("", "flex", "priority", "batch")


class Case(msgspec.Struct, frozen=True):
    """One usage of one model, and what both say that it costs: nano-USD, or None where unknown."""

    name: str
    entry: dict[str, object]
    kind: str
    usage: Usage
    ours: int | None
    theirs: float | None

    @property
    def equal(self) -> bool:
        """To the nearest nano-dollar, and to what a float of theirs can hold."""
        if self.ours is None or self.theirs is None:
            return False
        return abs(self.ours - self.theirs) <= 0.5 + 1e-9 + abs(self.theirs) * 1e-12

    def has(self, *words: str) -> bool:
        """Whether the entry has a key with all of `words`."""
        return any(all(word in key for word in words) for key in self.entry)


def unnamed(case: Case) -> bool:
    """The level of service has no price of its own for long requests, at least for one kind."""
    tier = case.usage.service_tier
    kinds = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    return bool(tier) and any(
        case.has(f"{kind}_above_") and not case.has(f"{kind}_above_", f"_{tier}") for kind in kinds
    )


def half(case: Case) -> bool:
    """The entry names the price in batches of input or of output, not of both."""
    names = ("input_cost_per_token_batches", "output_cost_per_token_batches")
    return sum(name in case.entry for name in names) < 2


EXPLAINED: Mapping[str, Callable[[Case], bool]] = {
    "The entry has no price of tokens: nothing but zeros, none at all, of output alone, or one of "
    "seconds, images or requests. To us it is unknown; litellm takes what is missing for free.": (
        lambda case: case.ours is None
    ),
    "litellm does not know the provider of the entry, and refuses.": (
        lambda case: case.theirs is None
    ),
    "litellm's calculator for Perplexity charges cached input in full, long requests as short ones "
    "and `perplexity/perplexity/sonar` as `perplexity/sonar`; we go by the entry.": (
        lambda case: case.entry["litellm_provider"] == "perplexity"
    ),
    "litellm's calculator for Fireworks passes over the level of service; we go by the entry.": (
        lambda case: (
            case.entry["litellm_provider"] == "fireworks_ai" and bool(case.usage.service_tier)
        )
    ),
    "litellm finds another entry for this name at Bedrock, which has no levels of service.": (
        lambda case: case.name == "moonshotai.kimi-k2.5" and bool(case.usage.service_tier)
    ),
    "Sound and images at a level of service: litellm takes their standard price, we the one that "
    "is named for that level, or that level's price of text where they cost what text does.": (
        lambda case: case.kind in ("audio", "image") and bool(case.usage.service_tier)
    ),
    "The entry names no price for long requests at that level of service. litellm takes the "
    "standard one of long requests or its own of short ones; to us it rises as the standard one.": (
        lambda case: case.kind in ("long", "middle") and unnamed(case)
    ),
    "Where the entry does not name a kind's price in batches litellm guesses: half the price, or "
    "that of text. We go by the standard price of that kind.": (
        lambda case: case.usage.service_tier == "batch" and (case.kind != "plain" or half(case))
    ),
}


def cases() -> Iterator[tuple[str, dict[str, object], str, Usage]]:
    file = installed_file()
    assert file is not None
    for name, entry in json.loads(file.read_bytes()).items():
        if entry.get("mode") not in SERVED or name == "sample_spec":
            continue
        for kind, (words, usage) in USAGES.items():
            if not any(word in key for key in entry for word in words.split("|")):
                continue
            for tier in TIERS:
                suffix = "batches" if tier == "batch" else tier
                if not tier or any(key.endswith(f"_{suffix}") for key in entry):
                    yield name, entry, kind, msgspec.structs.replace(usage, service_tier=tier)


@pytest.fixture(scope="module", name="compared")
def _compared() -> list[Case]:
    asked = list(cases())
    questions = [
        (name, entry["litellm_provider"], entry["mode"], usage.service_tier, to_dict(usage))
        for name, entry, _, usage in asked
    ]
    answer = subprocess.run(
        [sys.executable, "-m", "tests.support.litellm_costs"],
        cwd=ROOT,
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    dollars = json.loads(answer.stdout.splitlines()[-1])
    prices = load()
    compared = []
    for (name, entry, kind, usage), usd in zip(asked, dollars, strict=True):
        owner = "litellm" if "/" in name else str(entry["litellm_provider"])
        known = prices.find(owner, name)
        price = known.price if known else None
        ours = None if price is None else cost_of(usage, price).nano_usd
        compared.append(Case(name, entry, kind, usage, ours, None if usd is None else usd * 1e9))
    return compared


def to_dict(usage: Usage) -> dict[str, int]:
    found: dict[str, int] = msgspec.to_builtins(usage)
    return found


def test_costs_are_those_of_litellm_to_the_nano_dollar(compared: list[Case]) -> None:
    different = [
        case
        for case in compared
        if not case.equal and not any(explains(case) for explains in EXPLAINED.values())
    ]
    assert not different, "\n".join(
        f"{c.name} {c.kind} {c.usage.service_tier}: {c.ours}, {c.theirs}" for c in different
    )


def test_nearly_all_models_are_equal(compared: list[Case]) -> None:
    """Far more than the 200 that were asked for, and of each kind of usage."""
    equal = {case.name for case in compared if case.equal}
    assert len(equal) >= 3_000
    kinds = Counter(case.kind for case in compared if case.equal and not case.usage.service_tier)
    assert set(kinds) == set(USAGES)
    assert min(kinds.values()) >= 100, kinds
    tiers = Counter(case.usage.service_tier for case in compared if case.equal)
    assert min(tiers.values()) >= 200, tiers


@pytest.mark.parametrize("reason", EXPLAINED)
def test_each_explanation_is_needed(compared: list[Case], reason: str) -> None:
    others = [explains for text, explains in EXPLAINED.items() if text != reason]
    assert any(
        EXPLAINED[reason](case) and not case.equal and not any(other(case) for other in others)
        for case in compared
    )


def test_unknown_is_not_zero(compared: list[Case]) -> None:
    assert not any(case.ours == 0 and case.theirs for case in compared)
    assert isinstance(load().find("openai", "gpt-4o").price, Price)  # type: ignore[union-attr]
