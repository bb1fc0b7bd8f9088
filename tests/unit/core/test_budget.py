"""Periods of budgets, on an injected time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from interlingua_gateway.core.budget import Period, span

# What is asked for, and the period that holds it: days, weeks from Monday, months and leap days.
PERIODS = [
    ("day", "2026-11-21T00:00:00", "2026-11-21", "2026-11-22"),
    ("day", "2026-11-21T23:59:59.999", "2026-11-21", "2026-11-22"),
    ("day", "2026-12-31T12:00:00", "2026-12-31", "2027-01-01"),
    ("day", "2028-02-28T12:00:00", "2028-02-28", "2028-02-29"),
    ("day", "2028-02-29T12:00:00", "2028-02-29", "2028-03-01"),
    ("day", "2027-02-28T12:00:00", "2027-02-28", "2027-03-01"),
    ("week", "2026-11-21T12:00:00", "2026-11-16", "2026-11-23"),  # a Saturday
    ("week", "2026-11-22T23:59:59", "2026-11-16", "2026-11-23"),
    ("week", "2026-11-23T00:00:00", "2026-11-23", "2026-11-30"),
    ("week", "2027-01-01T12:00:00", "2026-12-28", "2027-01-04"),
    ("month", "2026-11-30T23:59:59", "2026-11-01", "2026-12-01"),
    ("month", "2026-12-01T00:00:00", "2026-12-01", "2027-01-01"),
    ("month", "2028-01-31T12:00:00", "2028-01-01", "2028-02-01"),
    ("month", "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
    ("month", "2027-02-01T00:00:00", "2027-02-01", "2027-03-01"),
]


@pytest.mark.parametrize(("period", "at", "start", "end"), PERIODS)
def test_spans(period: str, at: str, start: str, end: str) -> None:
    found = span(Period(period), _seconds(at))
    assert found.start_s == _seconds(start)
    assert found.end_s == _seconds(end)
    assert found.name == f"{period}:{start}"
    assert found.start_s <= _seconds(at) < (found.end_s or 0)
    assert span(Period(period), found.end_s or 0).start_s == found.end_s


def test_the_total_never_ends() -> None:
    assert span(Period.TOTAL, _seconds("2026-11-21")) == span(Period.TOTAL, 0.0)
    assert span(Period.TOTAL, 0.0).end_s is None


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
