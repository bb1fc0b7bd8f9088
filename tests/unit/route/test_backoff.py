"""Waits between rounds, and the budget of repeated attempts."""

from __future__ import annotations

import pytest

from interlingua_gateway.route.backoff import Backoff, Budget, RetrySettings
from tests.support.routing import ChanceClock

SETTINGS = RetrySettings(rounds=5, initial_s=0.1, max_s=0.3)


@pytest.mark.parametrize(("done", "ceiling"), [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.3)])
def test_full_jitter(done: int, ceiling: float) -> None:
    backoff = Backoff(SETTINGS, ChanceClock())
    delays = [backoff.delay_s(done, None, None) for _ in range(2000)]
    waits = [delay for delay in delays if delay is not None]
    assert len(waits) == 2000
    assert 0 <= min(waits) < 0.02 * ceiling
    assert 0.98 * ceiling < max(waits) <= ceiling
    assert sum(waits) / 2000 == pytest.approx(ceiling / 2, rel=0.1)


@pytest.mark.parametrize(
    ("done", "wanted_s", "left_s", "waits"),
    [
        (4, None, None, True),
        (5, None, None, False),  # no round is left
        (1, 0.3, None, True),
        (1, 0.31, None, False),  # longer than the longest wait
        (1, None, 0.2, True),
        (1, 0.25, 0.2, False),  # the deadline comes first
    ],
)
def test_when_to_give_up(
    done: int, wanted_s: float | None, left_s: float | None, waits: bool
) -> None:
    clock = ChanceClock()
    deadline = None if left_s is None else clock.monotonic() + left_s
    delay = Backoff(SETTINGS, clock).delay_s(done, wanted_s, deadline)
    assert (delay is not None) is waits
    if delay is not None:
        assert delay >= (wanted_s or 0.0)


def test_budget_is_a_share_of_the_calls_after_a_burst() -> None:
    budget = Budget(share=0.2, burst=10)
    spent = 0
    for _ in range(1000):
        budget.earn()
        spent += budget.spend() + budget.spend()
    assert 200 <= spent <= 210
