"""Fields that the messages of AdminService share: read, checked, written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration

from interlingua.v1 import admin_service_pb2
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.identity import Scope

REQUEST_LIMIT_BYTES: Final = 1024 * 1024
DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1000
LONGEST_TEXT: Final = 200
MOST_MODELS: Final = 1000

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}")

SCOPES: Final[Mapping[int, Scope]] = {
    getattr(admin_service_pb2, f"SCOPE_{scope.name}"): scope for scope in Scope
}
SCOPE_NUMBERS: Final = {scope: number for number, scope in SCOPES.items()}

_bad = CallerError.of_field


def name_in(text: str, field: str, *, needed: bool = True) -> str:
    """`text`, if it may name a tenant, a project or a tier.

    Raises:
        CallerError: INVALID_REQUEST.
    """
    if (needed or text) and NAME.fullmatch(text) is None:
        raise _bad(field, "must be 1 to 128 letters, digits, `-`, `_`, `.`, `:`, `@` or `/`")
    return text


def text_in(text: str, field: str) -> str:
    """`text`, if a person can read it.

    Raises:
        CallerError: INVALID_REQUEST.
    """
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise _bad(field, f"must be at most {LONGEST_TEXT} printable characters")
    return text


def models_in(names: Iterable[str], field: str) -> tuple[str, ...]:
    """Aliases and patterns, each once.

    Raises:
        CallerError: INVALID_REQUEST.
    """
    found = tuple(dict.fromkeys(names))
    if len(found) > MOST_MODELS:
        raise _bad(field, f"must be at most {MOST_MODELS}")
    for i, name in enumerate(found):
        if not name or name != name.strip() or name.count("*") > 1:
            raise _bad(f"{field}[{i}]", "must be an alias, or a pattern with one `*`")
        text_in(name, f"{field}[{i}]")
    return found


def scopes_in(numbers: Iterable[int], field: str) -> frozenset[Scope]:
    """The scopes; INFERENCE where none is given.

    Raises:
        CallerError: INVALID_REQUEST.
    """
    found: set[Scope] = set()
    for i, number in enumerate(numbers):
        if number not in SCOPES:
            raise _bad(f"{field}[{i}]", "is not a scope that this gateway knows")
        found.add(SCOPES[number])
    return frozenset(found) or frozenset({Scope.INFERENCE})


def seconds_in(pb: Duration, field: str, *, least_s: float) -> float:
    """The duration in seconds.

    Raises:
        CallerError: INVALID_REQUEST; it is less than `least_s`.
    """
    seconds = pb.seconds + pb.nanos / 1e9
    if seconds < least_s:
        raise _bad(field, f"must be at least {least_s:g} s")
    return seconds


def page_size(asked: int) -> int:
    """How many entries a page has."""
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def shown_scopes(scopes: Iterable[Scope]) -> Sequence[admin_service_pb2.Scope.ValueType]:
    """The scopes as the contract's numbers."""
    return sorted(SCOPE_NUMBERS[scope] for scope in scopes)  # type: ignore[misc]
