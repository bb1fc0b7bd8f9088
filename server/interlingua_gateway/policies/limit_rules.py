"""What the configured limits take for a call or for an attempt at an upstream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.estimate import input_tokens
from interlingua_gateway.core.quota import Bucket, Charge, Measure
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import CountRequest, EmbedRequest, Request

MINUTE_S: Final = 60.0
LONGEST_NAME: Final = 100
MAX_KNOWN: Final = 4096


class Dimension(StrEnum):
    """What has a bucket of its own; in the order in which a subject names them."""

    TENANT = "tenant"
    KEY = "key"
    PROVIDER = "provider"
    MODEL = "model"
    USER = "user"
    TIER = "tier"


class Rate(msgspec.Struct, frozen=True):
    """Units a minute, and how many may come at once."""

    per_minute: int
    burst: int


class LimitRule(msgspec.Struct, frozen=True, kw_only=True):
    """Limits for everybody, or for each one of the dimensions `per`.

    It holds where `tenants`, `tiers` and `models` (names or patterns) match; None matches all. A
    rule per PROVIDER is for attempts: its model is the provider's own name for it.
    """

    name: str
    per: frozenset[Dimension] = frozenset()
    tenants: frozenset[str] | None = None
    tiers: frozenset[str] | None = None
    providers: frozenset[str] | None = None
    models: tuple[str, ...] | None = None
    requests: Rate | None = None
    tokens: Rate | None = None
    concurrent: int | None = None


class Rules:
    """Turns who asks for what into charges. False if there is no rule."""

    def __init__(self, rules: Iterable[LimitRule], expected_output_tokens: int) -> None:
        self._rules = tuple(
            (rule, None if rule.models is None else Aliases(dict.fromkeys(rule.models, True)))
            for rule in rules
        )
        self._expected_output_tokens = expected_output_tokens
        self._counts_tokens = any(rule.tokens for rule, _ in self._rules)
        self._known: dict[tuple[str, str], tuple[Bucket, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    @property
    def counts_tokens(self) -> bool:
        """Whether one of them is of tokens."""
        return self._counts_tokens

    def size(self, request: Request) -> int:
        """How much of the limits a request takes: its expected tokens, or 1 if none counts them.

        Expected are the estimated input and, for each candidate, the output that the caller allows
        or else that the configuration expects.
        """
        if not self._counts_tokens or isinstance(request, CountRequest):
            return 1
        tokens = input_tokens(request)
        if not isinstance(request, EmbedRequest):
            sampling = request.sampling
            output = sampling.max_output_tokens or self._expected_output_tokens
            tokens += output * (sampling.n or 1)
        return max(1, tokens)

    def charges(self, values: Mapping[Dimension, str], size: int) -> tuple[Charge, ...]:
        """What a request of `size` takes from the buckets of `values`."""
        found: list[Charge] = []
        for bucket in self.buckets(values):
            amount = size if bucket.measure is Measure.TOKENS else 1
            found.append(Charge(bucket, min(float(amount), bucket.capacity)))
        return tuple(found)

    def buckets(self, values: Mapping[Dimension, str]) -> Sequence[Bucket]:
        """All buckets of `values`."""
        found: list[Bucket] = []
        for rule, models in self._rules:
            if _matches(rule, models, values):
                found.extend(self._of(rule, _subject(rule, values)))
        return found

    def _of(self, rule: LimitRule, subject: str) -> tuple[Bucket, ...]:
        """The buckets of one subject; those of recent ones are kept ready."""
        known = self._known.get((rule.name, subject))
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[rule.name, subject] = tuple(_buckets(rule, subject))
        return known


def of_call(call: Call, names: Mapping[str, str]) -> Mapping[Dimension, str]:
    """Who asks for what; `names` gives the model's name for its aliases."""
    caller, model = call.caller, call.request.model
    return {
        Dimension.TENANT: caller.tenant,
        Dimension.KEY: caller.key,
        Dimension.MODEL: names.get(model, model),
        Dimension.USER: caller.user,
        Dimension.TIER: caller.tier,
    }


def of_target(target: Target) -> Mapping[Dimension, str]:
    """Where an attempt goes."""
    return {Dimension.PROVIDER: target.provider, Dimension.MODEL: target.model}


def _matches(
    rule: LimitRule, models: Aliases[bool] | None, values: Mapping[Dimension, str]
) -> bool:
    if rule.tenants is not None and values.get(Dimension.TENANT) not in rule.tenants:
        return False
    if rule.tiers is not None and values.get(Dimension.TIER) not in rule.tiers:
        return False
    if rule.providers is not None and values.get(Dimension.PROVIDER) not in rule.providers:
        return False
    return models is None or models.find(values[Dimension.MODEL]) is True


def _subject(rule: LimitRule, values: Mapping[Dimension, str]) -> str:
    """Such as `tenant:acme user:7`: a user's name says something within its tenant only."""
    per = rule.per | {Dimension.TENANT} if Dimension.USER in rule.per else rule.per
    parts = [
        f"{dimension}:{_word(values[dimension])}" for dimension in Dimension if dimension in per
    ]
    return " ".join(parts) or "gateway"


def _word(text: str) -> str:
    """`text` without spaces, so that no two subjects look the same, and not too long for a key."""
    if len(text) > LONGEST_NAME:
        return "sha256-" + hashlib.sha256(text.encode()).hexdigest()
    return text.replace("%", "%25").replace(" ", "%20")


def _buckets(rule: LimitRule, subject: str) -> list[Bucket]:
    found: list[Bucket] = []
    for measure, rate in ((Measure.REQUESTS, rule.requests), (Measure.TOKENS, rule.tokens)):
        if rate is not None:
            found.append(
                Bucket(
                    key=f"limit:{rule.name}:{measure}:{subject}",
                    rule=rule.name,
                    measure=measure,
                    subject=subject,
                    limit=rate.per_minute,
                    capacity=rate.burst,
                    per_s=rate.per_minute / MINUTE_S,
                )
            )
    if rule.concurrent is not None:
        found.append(
            Bucket(
                key=f"limit:{rule.name}:{Measure.CONCURRENT}:{subject}",
                rule=rule.name,
                measure=Measure.CONCURRENT,
                subject=subject,
                limit=rule.concurrent,
                capacity=rule.concurrent,
            )
        )
    return found
