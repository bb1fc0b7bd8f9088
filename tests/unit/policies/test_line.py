"""The order of those who wait, as tables: who comes in, who goes first."""

from __future__ import annotations

import pytest

from interlingua_gateway.core.wishes import Priority
from interlingua_gateway.policies.line import Line, Waiting

PRIORITIES = {"l": Priority.LOW, "n": Priority.NORMAL, "h": Priority.HIGH}


class Named(Waiting):
    """A call with a name for the tables."""

    __slots__ = ("name",)


def named(name: str, size: int = 1) -> Named:
    """`a1n` is tenant a's call 1 at normal priority."""
    made = Named(
        (),
        size=size,
        priority=PRIORITIES[name[-1]],
        tenant=name[0],
        until=0.0,
        result=None,  # type: ignore[arg-type]
    )
    made.name = name
    return made


ORDERS = {
    "first come, first served": ("a1n a2n a3n", {}, "a1n a2n a3n"),
    "priorities before arrival": ("a1l a2n a3h a4n a5h a6l", {}, "a3h a5h a2n a4n a1l a6l"),
    "tenants take turns": ("a1n a2n a3n a4n b1n b2n", {}, "a1n b1n a2n b2n a3n a4n"),
    "three tenants": ("a1n a2n a3n b1n c1n c2n", {}, "a1n b1n c1n a2n c2n a3n"),
    "turns are within a priority": ("a1n a2h a3h b1n b2h", {}, "a2h b2h a3h a1n b1n"),
    "twice the weight, twice the turns": (
        "a1n a2n a3n a4n b1n b2n b3n b4n",
        {"b": 2.0},
        "a1n b1n b2n a2n b3n b4n a3n a4n",
    ),
}


@pytest.mark.parametrize(("come", "weights", "go"), ORDERS.values(), ids=ORDERS)
def test_order(come: str, weights: dict[str, float], go: str) -> None:
    line = Line(weights)
    for name in come.split():
        line.add(named(name))
    assert _drained(line) == go.split()
    assert len(line) == 0


def test_sizes_count() -> None:
    """A tenant of large calls gets as many tokens as one of small calls, not as many calls."""
    line = Line({})
    for number in range(4):
        line.add(named(f"a{number}n", size=300))
    for number in range(12):
        line.add(named(f"b{number}n", size=100))
    order = _drained(line)
    assert [sum(name[0] == "a" for name in order[: 4 * n]) for n in (1, 2, 3, 4)] == [1, 2, 3, 4]


def test_a_newcomer_is_not_behind_a_flood() -> None:
    line = Line({})
    for number in range(100):
        line.add(named(f"a{number}n"))
    for _ in range(50):
        line.serve(line.in_order()[0])
    line.add(named("b0n"))
    assert [_name(w) for w in line.in_order()[:3]] == ["b0n", "a50n", "a51n"]


def test_past_idleness_is_no_credit() -> None:
    line = Line({})
    line.add(named("b0n"))
    for number in range(20):
        line.add(named(f"a{number}n"))
    for _ in range(11):
        line.serve(line.in_order()[0])
    for number in range(1, 4):
        line.add(named(f"b{number}n"))
    assert [_name(w)[0] for w in line.in_order()[:6]] == ["b", "a", "b", "a", "b", "a"]


def test_who_leaves_does_not_spend_the_share_of_its_tenant() -> None:
    line = Line({})
    for number in range(3):
        line.add(named(f"a{number}n"))
    for _ in range(50):
        gone = named("b0n")
        line.add(gone)
        line.leave(gone)
        line.leave(gone)
    line.add(named("b1n"))
    assert [_name(w) for w in line.in_order()[:2]] == ["a0n", "b1n"]


def test_who_is_last() -> None:
    line = Line({})
    for name in ("a0n", "a1n", "a2n", "b0n", "c0h"):
        line.add(named(name))
    assert _name(line.last()) == "a2n"


def _drained(line: Line) -> list[str]:
    order: list[str] = []
    while line:
        first = line.in_order()[0]
        line.serve(first)
        order.append(_name(first))
    return order


def _name(waiting: Waiting) -> str:
    assert isinstance(waiting, Named)
    return waiting.name
