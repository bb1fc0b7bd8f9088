"""Finds what is configured for the model that a caller names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class Aliases(Generic[T]):
    """Values by alias, or by a pattern such as `openai/*`.

    The alias itself goes before patterns, and the longest pattern before the others: so an alias
    without a value is given as None, and is not covered by a pattern. False if no value is there.
    """

    __slots__ = ("_exact", "_patterns")

    def __init__(self, values: Mapping[str, T | None]) -> None:
        self._exact = {name: value for name, value in values.items() if "*" not in name}
        patterns = sorted((name for name in values if "*" in name), key=len, reverse=True)
        self._patterns = [_pattern(name, values[name]) for name in patterns]

    def __bool__(self) -> bool:
        every = (*self._exact.values(), *(value for _, _, value in self._patterns))
        return any(value is not None for value in every)

    def find(self, name: str) -> T | None:
        """The value for `name`, or None."""
        if name in self._exact:
            return self._exact[name]
        for prefix, suffix, value in self._patterns:
            covered = len(name) > len(prefix) + len(suffix)
            if covered and name.startswith(prefix) and name.endswith(suffix):
                return value
        return None


def _pattern(name: str, value: T) -> tuple[str, str, T]:
    prefix, _, suffix = name.partition("*")
    return prefix, suffix, value


class AllowedModels:
    """Which models may be named: those that each of the lists covers; an empty list covers all.

    A list has aliases and patterns such as `openai/*`.
    """

    __slots__ = ("_lists", "_names")

    def __init__(self, *lists: Iterable[str]) -> None:
        self._names = tuple(names for names in map(frozenset, lists) if names)
        self._lists = tuple(Aliases(dict.fromkeys(names, True)) for names in self._names)

    def __bool__(self) -> bool:
        """Whether there is any model that may not be named."""
        return bool(self._lists)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AllowedModels) and other._names == self._names

    def __hash__(self) -> int:
        return hash(self._names)

    def covers(self, name: str, model: str) -> bool:
        """Whether `name`, which may be an alias of `model`, may be named."""
        return all(names.find(name) or names.find(model) for names in self._lists)


EVERY_MODEL: Final = AllowedModels()
