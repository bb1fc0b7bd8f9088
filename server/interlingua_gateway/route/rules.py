"""Rules that send a call to another alias than the one it names."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.target import Capability
from interlingua_gateway.route.need import Need


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that meet every condition go to the alias `use`; empty and None are no condition.

    `models` are aliases or patterns that end in `*`; of `tenants` any one must be the caller's;
    of `tags` all must be on the call; the estimated input is within the two sizes, in tokens; the
    call demands or implies all of `capabilities`.
    """

    use: str
    models: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    capabilities: frozenset[Capability] = frozenset()
    min_input_tokens: int | None = None
    max_input_tokens: int | None = None

    def applies(self, call: Call, need: Need) -> bool:
        """Whether `call` meets every condition."""
        if self.models and not any(_names(m, call.request.model) for m in self.models):
            return False
        if self.tenants and call.caller.tenant not in self.tenants:
            return False
        if not self.tags.issubset(call.tags):
            return False
        if self.capabilities and not self.capabilities <= need.implied | call.routing.required:
            return False
        return self._within(need)

    def _within(self, need: Need) -> bool:
        if self.min_input_tokens is not None and need.input_tokens < self.min_input_tokens:
            return False
        return self.max_input_tokens is None or need.input_tokens <= self.max_input_tokens


def alias_of(call: Call, need: Need, rules: Sequence[Rule]) -> str:
    """Where `call` goes: by the first rule that applies, else where it says."""
    for rule in rules:
        if rule.applies(call, need):
            return rule.use
    return call.request.model


def _names(pattern: str, name: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern
