"""Reads litellm's answer objects, in which every attribute may be missing or of another type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def field(owner: object, name: str) -> object:
    """The value of `name` in a mapping or an object, or None."""
    if isinstance(owner, Mapping):
        return owner.get(name)
    value: object = getattr(owner, name, None)
    return value


def text(owner: object, name: str) -> str:
    """The string called `name`, or an empty one."""
    value = field(owner, name)
    return value if isinstance(value, str) else ""


def whole(owner: object, name: str) -> int:
    """The whole number called `name`, or 0."""
    value = field(owner, name)
    return int(value) if isinstance(value, int | float) else 0


def items(owner: object, name: str) -> Sequence[object]:
    """The sequence called `name`, or an empty one."""
    value = field(owner, name)
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
