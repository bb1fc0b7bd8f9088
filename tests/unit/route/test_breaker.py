"""When a circuit opens, rests, is tested and closes."""

from __future__ import annotations

import pytest

from interlingua_gateway.route.breaker import Breaker, BreakerSettings, State

SETTINGS = BreakerSettings(
    failures=3, error_rate=0.5, min_attempts=8, window_s=10.0, cooldown_s=5.0, max_cooldown_s=15.0
)


class Course:
    """A breaker in the course of time; a word is what happens, a number how many seconds pass.

    `+` and `-` are attempts that succeed and fail, `b` begins one, `s`, `f` and `a` end the one
    that began last; `?` asks whether one may begin.
    """

    def __init__(self, settings: BreakerSettings = SETTINGS) -> None:
        self.states: list[State] = []
        self.breaker = Breaker(settings, self.states.append)
        self.now = 100.0
        self.tickets: list[int] = []
        self.admitted: list[bool] = []

    def run(self, script: str) -> Course:
        for word in script.split():
            if word[0].isdigit():
                self.now += float(word)
            else:
                for letter in word:
                    self._do(letter)
        return self

    def _do(self, letter: str) -> None:
        if letter == "?":
            self.admitted.append(self.breaker.admits(self.now))
        if letter in "+-b":
            self.tickets.append(self.breaker.begin(self.now))
        if letter in "+s":
            self.breaker.succeeded(self.tickets.pop(), self.now)
        if letter in "-f":
            self.breaker.failed(self.tickets.pop(), self.now)
        if letter == "a":
            self.breaker.abandoned(self.tickets.pop())


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ("", "closed"),
        ("--", "closed"),
        ("---", "open"),
        ("--+--", "closed"),
        # half of eight failed
        ("+-+-+-+-", "open"),
        ("++-++-++-", "closed"),
        # the window forgets
        ("+-+-+- 20 +-", "closed"),
        ("+-+- 4 +-+-", "open"),
        # a rest, a test, and back
        ("--- 4.9", "open"),
        ("--- 5 b", "half_open"),
        ("--- 5 +", "half_open"),
        ("--- 5 ++", "closed"),
        ("--- 5 -", "open"),
        ("--- 5 +-", "open"),
        # what says nothing leaves it as it was
        ("--- 5 ba", "half_open"),
        ("--- 5 baba ++", "closed"),
        # attempts that began before it opened no longer count
        ("bbbbb fff ss", "open"),
        ("bbb --- 5 b 0 a sss", "half_open"),
    ],
)
def test_states(script: str, state: str) -> None:
    assert Course().run(script).breaker.state == state


@pytest.mark.parametrize(
    ("script", "admitted"),
    [
        ("? --- ? 4.9 ? 0.1 ?", [True, False, False, True]),
        # one probe at a time
        ("--- 5 b ? s ?", [False, True]),
        ("--- 5 b ? a ?", [False, True]),
        # each rest is twice as long, up to the longest; closing makes it short again
        ("--- 5 - 9.9 ? 0.1 ? - 14.9 ? 0.1 ? - 14.9 ? 0.1 ?", [False, True] * 3),
        ("--- 5 - 10 ++ --- 4.9 ? 0.1 ?", [False, True]),
    ],
)
def test_admission(script: str, admitted: list[bool]) -> None:
    assert Course().run(script).admitted == admitted


def test_every_change_is_told_once() -> None:
    assert Course().run("--- 5 ++ +").states == ["open", "half_open", "closed"]


@pytest.mark.parametrize(("asked_s", "rest_s"), [(0.0, 5.0), (8.0, 8.0), (3600.0, 15.0)])
def test_the_upstream_may_ask_for_a_longer_rest(asked_s: float, rest_s: float) -> None:
    course = Course().run("-- b")
    course.breaker.failed(course.tickets.pop(), course.now, asked_s)
    assert course.breaker.reopens_at - course.now == rest_s


def test_more_probes_may_be_allowed() -> None:
    settings = BreakerSettings(failures=1, cooldown_s=1.0, probes=2, successes=3)
    course = Course(settings).run("- 1 b ? b ? ss ? + ?")
    assert course.admitted == [True, False, True, True]
    assert course.breaker.state == "closed"


def test_new_settings_hold_from_now_on_and_forget_what_was_counted():
    course = Course().run("--")
    course.breaker.configure(BreakerSettings(failures=2, cooldown_s=1.0))
    assert course.run("-").breaker.state is State.CLOSED
    assert course.run("-").breaker.state is State.OPEN
    assert course.breaker.reopens_at == course.now + 1.0
    course.breaker.configure(SETTINGS)
    assert course.breaker.state is State.OPEN
