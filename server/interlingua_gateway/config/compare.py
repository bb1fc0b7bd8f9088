"""What differs between two configurations, and what of it a running gateway cannot take over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from interlingua_gateway.config.secret import Secret
from interlingua_gateway.config.tree import Config

FIXED: Final = (
    "server",
    "http",
    "telemetry.log_format",
    "redis",
    "database",
    "data_dir",
    "ledger",
    "feedback",
    "cache.store",
    "cache.max_bytes",
    "budgets.share_without_redis",
    "budgets.webhook",
)
"""What a gateway has from its start to its end: listeners, stores and what writes to them."""


class Difference(msgspec.Struct, frozen=True):
    """`key` is written as people do, an item of a list that has a name by that; `what` happened to
    it, such as `60 -> 120`, never with a secret."""

    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}"

    @property
    def needs_restart(self) -> bool:
        """Whether a running gateway cannot take it over."""
        return any(f"{self.key}.".startswith(f"{fixed}.") for fixed in FIXED)


def differences(former: Config, latter: Config) -> tuple[Difference, ...]:
    """All of them, in the order of the tree; empty for equal configurations."""
    return tuple(_differences("", former, latter))


def _differences(key: str, former: Any, latter: Any) -> Iterator[Difference]:
    if former == latter:
        return
    before, after = _parts(former), _parts(latter)
    if type(former) is not type(latter) or before is None or after is None:
        yield Difference(key, _change(former, latter))
        return
    for name in before | after:
        inner = _joined(key, name, former)
        if name not in after:
            yield Difference(inner, "removed")
        elif name not in before:
            yield Difference(inner, "added")
        else:
            yield from _differences(inner, before[name], after[name])
    if before.keys() == after.keys() and list(before) != list(after):
        yield Difference(key, "in another order")


def _parts(value: Any) -> dict[str, Any] | None:
    """What `value` consists of, by names; None for a single value, and for a list without names."""
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple) and all(isinstance(item, BaseModel) for item in value):
        names = [str(getattr(item, "name", index)) for index, item in enumerate(value)]
        return dict(zip(names, value, strict=True)) if len(set(names)) == len(names) else None
    return None


def _joined(key: str, name: str, owner: Any) -> str:
    if isinstance(owner, tuple):
        return f"{key}[{name}]"
    return f"{key}.{name}" if key else name


def _change(former: Any, latter: Any) -> str:
    if isinstance(former, Secret) or isinstance(latter, Secret):
        return "another secret" if former is not None and latter is not None else "changed"
    shown = [_shown(value) for value in (former, latter)]
    return "changed" if None in shown else f"{shown[0]} -> {shown[1]}"


def _shown(value: Any) -> str | None:
    """A short value as it is written; None for one that is long, or no single value."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    # What has the form of a URL may hold a password.
    if isinstance(value, str) and len(value) <= 60 and "://" not in value:
        return json.dumps(value, ensure_ascii=False)
    return None
