"""Finds the model that a caller names: by alias, or by a pattern such as `openai/*`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

import msgspec

from interlingua_gateway.core.target import Model, Target

Enrich = Callable[[Target], Target]


class Directory:
    """The models of a configuration.

    A pattern's targets hold `*` where the caller's own words go; `enrich` adds to such a target
    what is known of the model (its price).
    """

    def __init__(self, models: Sequence[Model], enrich: Enrich = lambda target: target) -> None:
        self._models = tuple(models)
        self._exact: Mapping[str, Model] = {m.name: m for m in models if not m.aliases_pattern}
        self._patterns = tuple(m for m in models if m.aliases_pattern)
        self._enrich = enrich

    def models(self) -> Sequence[Model]:
        """All aliases and patterns, in the configuration's order."""
        return self._models

    def find(self, name: str) -> Model | None:
        """The model that serves `name`; the longest pattern wins where several match."""
        exact = self._exact.get(name)
        if exact is not None:
            return exact
        best: Model | None = None
        for model in self._patterns:
            prefix = model.name.removesuffix("*")
            longer = best is None or len(model.name) > len(best.name)
            if name.startswith(prefix) and len(name) > len(prefix) and longer:
                best = model
        return None if best is None else self._resolved(best, name)

    def near(self, name: str) -> Sequence[str]:
        """Up to three aliases that look like `name`."""
        names = [model.name for model in self._models]
        return difflib.get_close_matches(name, names, n=3, cutoff=0.5)

    def _resolved(self, model: Model, name: str) -> Model:
        rest = name[len(model.name) - 1 :]
        targets = tuple(
            self._enrich(msgspec.structs.replace(target, model=target.model.replace("*", rest)))
            for target in model.targets
        )
        return msgspec.structs.replace(model, name=name, targets=targets, aliases_pattern=False)
