"""Keeps the lists of models that providers offer, for those that come by a pattern."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.ports import Directory, Provider
from interlingua_gateway.core.target import Model

FIRST_RETRY_S: Final = 30.0
LONGEST_ANSWER_S: Final = 30.0
SPREAD: Final = 0.1
"""Share by which times vary, so that replicas do not ask all at once."""

log = logging.getLogger("interlingua.listing")

Complete: TypeAlias = Callable[[Model], Model]


class Source(msgspec.Struct, frozen=True):
    """A provider to be asked every `refresh_s` seconds; `prefix` opens its names in targets where
    its own list may leave it out."""

    provider: Provider
    refresh_s: float
    prefix: str = ""


class Listing:
    """Implements core.ports.Directory: what the configuration names, and after each pattern the
    models that it is known to cover.

    Each provider is asked in the background. While one does not answer, its last list stands.
    `complete` adds to a model what is known of it.
    """

    def __init__(
        self,
        directory: Directory,
        sources: Mapping[str, Source],
        clock: Clock,
        complete: Complete = lambda model: model,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._complete = complete
        behind = {
            target.provider
            for model in directory.models()
            if model.aliases_pattern
            for target in model.targets
            if "*" in target.model
        }
        self._sources = {name: source for name, source in sources.items() if name in behind}
        self._names: dict[str, tuple[str, ...]] = {}

    def take_over(self, former: Listing, unchanged: frozenset[str]) -> None:
        """Begin with the lists that `former` has of the providers `unchanged`."""
        self._names.update((n, former._names[n]) for n in unchanged & former._names.keys())

    def start(self, tasks: Tasks) -> None:
        """Ask now and again until `tasks` are closed."""
        for name, source in self._sources.items():
            tasks.start(self._keep(name, source), f"list-{name}")

    def models(self) -> Sequence[Model]:
        """All aliases and patterns in the configuration's order, each pattern before its own."""
        found = {model.name: model for model in self._directory.models()}
        ordered: list[Model] = []
        for model in tuple(found.values()):
            ordered.append(model)
            for member in self._members(model):
                if member.name not in found:
                    found[member.name] = member
                    ordered.append(member)
        return ordered

    def find(self, name: str) -> Model | None:
        """The model that serves `name`, wildcards included, or None."""
        model = self._directory.find(name)
        return None if model is None else self._complete(model)

    def near(self, name: str) -> Sequence[str]:
        """Up to three aliases that look like `name`."""
        return self._directory.near(name)

    def _members(self, pattern: Model) -> Sequence[Model]:
        """What `pattern` covers of its providers' lists, in their order."""
        members: list[Model] = []
        if not pattern.aliases_pattern:
            return members
        for target in pattern.targets:
            for rest in _covered(target.model, self._names.get(target.provider, ())):
                model = self.find(pattern.name.replace("*", rest))
                # A longer pattern may serve that name.
                if model is not None and model.targets[0].label == pattern.targets[0].label:
                    members.append(model)
        return members

    async def _keep(self, name: str, source: Source) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            try:
                with Timeout(self._clock, self._clock.monotonic() + LONGEST_ANSWER_S):
                    names = await source.provider.models()
            except (GatewayError, TimeoutError) as error:
                wait_s = min(retry_s, source.refresh_s)
                retry_s = min(2 * retry_s, source.refresh_s)
                log.info("no list of models", extra={"fields": _facts(name, error)})
            else:
                wait_s, retry_s = source.refresh_s, FIRST_RETRY_S
                self._names[name] = tuple(_prefixed(source.prefix, model) for model in names)
            await self._clock.sleep(wait_s * (1 - SPREAD + 2 * SPREAD * self._clock.random()))


def _covered(pattern: str, names: Sequence[str]) -> Sequence[str]:
    """What stands for the `*` of `pattern` in those of `names` that it covers."""
    prefix, star, suffix = pattern.partition("*")
    if not star:
        return ()
    return [
        name[len(prefix) : len(name) - len(suffix)]
        for name in names
        if name.startswith(prefix)
        and name.endswith(suffix)
        and len(name) > len(prefix) + len(suffix)
    ]


def _prefixed(prefix: str, name: str) -> str:
    return name if name.startswith(prefix) else prefix + name


def _facts(name: str, error: Exception) -> Mapping[str, str]:
    reason = str(error.reason) if isinstance(error, GatewayError) else "TIMEOUT"
    return {"provider": name, "reason": reason}
