"""What is configured for a name: exactly, or by the longest pattern."""

from __future__ import annotations

import pytest

from interlingua_gateway.core.aliases import Aliases

VALUES: Aliases[str] = Aliases(
    {"exact": "e", "up/none": None, "up/*": "short", "up/gpt-*": "long", "*-mini": "tail"}
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exact", "e"),
        ("up/a", "short"),
        ("up/gpt-5", "long"),
        ("up/gpt-", "short"),
        ("up/none", None),
        ("a-mini", "tail"),
        ("up/", None),
        ("other", None),
    ],
)
def test_find(name: str, value: str | None) -> None:
    assert VALUES.find(name) == value


def test_false_without_any_value() -> None:
    assert VALUES
    assert not Aliases({"a": None, "b/*": None})
    assert not Aliases({})
