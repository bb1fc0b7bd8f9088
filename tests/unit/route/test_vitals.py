"""How a deployment is, by its last attempts."""

from __future__ import annotations

import pytest

from interlingua_gateway.core.events import AttemptRecord, Outcome
from interlingua_gateway.core.target import Target
from interlingua_gateway.route.breaker import BreakerSettings
from interlingua_gateway.route.fleet import Fleet
from interlingua_gateway.route.vitals import WINDOW_ATTEMPTS, Vitals

TARGET = Target(deployment="d", provider="p", model="m", label="d")


def record(outcome: Outcome = Outcome.OK, reason: str = "", seconds: float = 1.0) -> AttemptRecord:
    return AttemptRecord("d", "p", "m", outcome, reason, seconds, seconds / 2)


def attempts(vitals: Vitals, *records: AttemptRecord) -> None:
    for one in records:
        vitals.ended(TARGET, one)


FAILED = record(Outcome.FAILED, "UPSTREAM_UNAVAILABLE")


@pytest.mark.parametrize(
    ("good", "bad", "status"),
    [
        (0, 0, "unknown"),
        (1, 0, "healthy"),
        (95, 5, "healthy"),
        (94, 6, "degraded"),
        (1, 1, "degraded"),
        (49, 51, "unhealthy"),
        (0, 1, "unhealthy"),
    ],
)
def test_the_share_of_successes_is_the_status(clock, good, bad, status):
    vitals = Vitals([TARGET], clock)
    attempts(vitals, *[record()] * good, *[FAILED] * bad)
    (condition,) = vitals.conditions()
    assert condition.status == status
    assert condition.attempts == good + bad


@pytest.mark.parametrize(
    "blameless",
    [
        record(Outcome.CANCELLED),
        record(Outcome.FAILED, "INVALID_REQUEST"),
        record(Outcome.FAILED, "UNSUPPORTED_PARAMETER"),
        record(Outcome.FAILED, "CONTEXT_LENGTH_EXCEEDED"),
        record(Outcome.FAILED, "CONTENT_FILTERED"),
    ],
)
def test_what_is_not_its_fault_does_not_count(clock, blameless):
    vitals = Vitals([TARGET], clock)
    attempts(vitals, blameless)
    (condition,) = vitals.conditions()
    assert (condition.attempts, condition.in_flight, condition.last_error) == (0, 0, "")


def test_old_attempts_are_forgotten_and_the_last_error_is_not(clock):
    vitals = Vitals([TARGET], clock)
    attempts(vitals, FAILED)
    at = clock.time()
    clock.advance(60)
    attempts(vitals, *[record()] * WINDOW_ATTEMPTS)
    (condition,) = vitals.conditions()
    assert (condition.attempts, condition.success_rate) == (WINDOW_ATTEMPTS, 1.0)
    assert (condition.last_error, condition.last_error_at_s) == ("UPSTREAM_UNAVAILABLE", at)


def test_percentiles_are_those_of_successes(clock):
    vitals = Vitals([TARGET], clock)
    attempts(vitals, *(record(seconds=float(n)) for n in range(100)), FAILED)
    (condition,) = vitals.conditions()
    assert condition.latency == (50.0, 95.0, 99.0)
    assert condition.first_event == (25.0, 47.5, 49.5)


def test_an_obstacle_makes_it_unhealthy_and_is_told(clock):
    note = ["loading the model"]
    vitals = Vitals([TARGET], clock, {"p": lambda: note[0]})
    attempts(vitals, record())
    assert (vitals.conditions()[0].status, vitals.conditions()[0].note) == ("unhealthy", note[0])
    note[0] = ""
    assert vitals.conditions()[0].status == "healthy"


def test_what_is_under_way_is_counted(clock):
    fleet = Fleet([TARGET], BreakerSettings())
    vitals = Vitals([TARGET], clock, {}, fleet.breaker_state, fleet.in_flight)
    fleet.of(TARGET).bulkhead.enter()
    fleet.of(TARGET).bulkhead.enter()
    assert vitals.conditions()[0].in_flight == 2
    fleet.of(TARGET).bulkhead.leave()
    assert vitals.conditions()[0].in_flight == 1
