"""An hour of steady load on three upstreams, one of them sick for a while, in simulated time.

`python -m pytest tests/unit/route/test_simulation.py -s` prints what each run measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from interlingua_gateway.core.call import Attempt, Phase
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError
from interlingua_gateway.core.events import Finish, FinishReason, TextDelta
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.run import run
from interlingua_gateway.core.target import Hedge, Strategy
from tests.support.calls import Reader
from tests.support.routing import Stage, model, wishing
from tests.support.simulated_time import SimulatedClock, simulate

HOUR_S = 3600.0
SICK_FROM_S, SICK_UNTIL_S = 600.0, 3000.0
EVERY_S = 0.5
DEADLINE_S = 30.0
FLAP_S = 30.0

Ill = Callable[[float], bool]


def _during(now: float) -> bool:
    return SICK_FROM_S <= now < SICK_UNTIL_S


def _flapping(now: float) -> bool:
    return _during(now) and int(now / FLAP_S) % 2 == 0


class Upstreams:
    """Three deployments that answer after 0.3 to 0.7 s; `a` is sick at times, in one of the ways:
    dead (refuses connections), silent (never answers), slow (ten times), flapping, breaking."""

    def __init__(self, clock: SimulatedClock, sickness: str) -> None:
        self._clock = clock
        self._sickness = sickness
        self.log: list[tuple[float, str]] = []

    async def open(self, attempt: Attempt) -> Reply:
        name = attempt.target.deployment
        now = self._clock.monotonic()
        self.log.append((now, name))
        attempt.phase = Phase.FIRST_TOKEN
        seconds = 0.3 + 0.4 * self._clock.random()
        sick = name == "a" and (_flapping(now) if self._sickness == "flapping" else _during(now))
        if sick and self._sickness in ("dead", "flapping"):
            await self._clock.sleep(0.005)
            raise UpstreamError(Reason.UPSTREAM_UNAVAILABLE, "refused")
        if sick and self._sickness == "silent":
            seconds = HOUR_S
        if sick and self._sickness == "slow":
            seconds *= 10.0
        await self._clock.sleep(seconds)
        start = Start(deployment=name, provider="stage", model=name)
        return Reply(start, (TextDelta(0, "x"), Finish(0, FinishReason.STOP)))

    async def models(self) -> Sequence[str]:
        return []

    async def aclose(self) -> None:
        pass


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured: attempts at the sick target while it was sick as a share of the calls,
    99th percentile of the time to the first event then, and seconds from its recovery until it has
    served one in ten calls of a minute again."""

    calls: int
    errors: int
    share: float
    p99_s: float
    recovery_s: float | None


def simulated(sickness: str, strategy: Strategy, hedge: Hedge | None = None) -> Run:
    async def work(clock: SimulatedClock) -> Run:
        upstreams = Upstreams(clock, sickness)
        stage = Stage(
            clock,
            model("m", "a", "b", "c", strategy=strategy, hedge=hedge),
            provider=upstreams,
        )
        waits: list[tuple[float, float]] = []
        errors: list[GatewayError] = []

        async def one() -> None:
            began = clock.monotonic()
            call = wishing(clock=clock, deadline=began + DEADLINE_S, streaming=True)
            try:
                await run(call, stage.dispatch, Reader(), clock)
            except GatewayError as error:
                errors.append(error)
            waits.append((began, clock.monotonic() - began))

        tasks = Tasks()
        for _ in range(int(HOUR_S / EVERY_S)):
            tasks.start(one(), "call")
            await clock.sleep(EVERY_S)
        await tasks.joined()
        assert stage.in_flight == 0
        sick = sorted(wait for began, wait in waits if _during(began))
        hits = sum(1 for at, name in upstreams.log if name == "a" and _during(at))
        return Run(
            calls=len(waits),
            errors=len(errors),
            share=hits / len(sick),
            p99_s=sick[int(0.99 * len(sick))],
            recovery_s=_recovery_s([at for at, name in upstreams.log if name == "a"]),
        )

    return simulate(work)


def _recovery_s(attempts: list[float]) -> float | None:
    """When the target has its place again: a tenth of the calls of the minute that follows."""
    after = [at for at in attempts if at >= SICK_UNTIL_S]
    enough = 0.1 * 60.0 / EVERY_S
    for at in after:
        if sum(1 for other in after if at <= other < at + 60.0) >= enough:
            return at - SICK_UNTIL_S
    return None


HEALTHY_P99_S = 0.7


@pytest.mark.parametrize(
    ("sickness", "strategy", "hedge", "most_share", "most_added_s", "most_recovery_s"),
    [
        ("dead", "priority", None, 0.02, 0.01, 61.0),
        ("dead", "round_robin", None, 0.02, 0.01, 61.0),
        ("dead", "lowest_latency", None, 0.02, 0.01, 61.0),
        ("flapping", "priority", None, 0.55, 0.01, 61.0),
        ("flapping", "round_robin", None, 0.25, 0.01, 61.0),
        ("flapping", "lowest_latency", None, 0.35, 0.01, 61.0),
        # Until the circuit opens, a call waits for half of its deadline.
        ("silent", "priority", None, 0.02, 15.1, 76.0),
        ("silent", "round_robin", None, 0.02, 15.1, 76.0),
        ("silent", "lowest_latency", None, 0.02, 0.01, 76.0),
        ("silent", "lowest_latency", 1.0, 0.06, 1.1, 76.0),
        # The configured order is kept: slow is not sick, and hedges are a fifth of the calls.
        ("slow", "priority", None, 1.0, 6.4, 1.0),
        ("slow", "priority", 1.0, 1.0, 6.4, 1.0),
        ("slow", "lowest_latency", None, 0.02, 3.0, 76.0),
        ("slow", "lowest_latency", 1.0, 0.06, 1.1, 76.0),
    ],
)
def test_no_caller_sees_an_error_while_a_target_is_healthy(
    sickness: str,
    strategy: str,
    hedge: float | None,
    most_share: float,
    most_added_s: float,
    most_recovery_s: float,
) -> None:
    wish = None if hedge is None else Hedge(after_s=hedge)
    found = simulated(sickness, Strategy(strategy), wish)
    added_s = found.p99_s - HEALTHY_P99_S
    recovery = "never" if found.recovery_s is None else f"{found.recovery_s:.1f} s"
    print(
        f"\n{sickness:9} {strategy:15} hedge {hedge or '-':4}: {found.errors} errors in "
        f"{found.calls} calls, {found.share:6.2%} to the sick one, p99 {added_s:+.3f} s, "
        f"recovered after {recovery}"
    )
    assert found.calls == HOUR_S / EVERY_S
    assert found.errors == 0
    assert found.share <= most_share
    assert added_s <= most_added_s
    assert found.recovery_s is not None
    assert found.recovery_s <= most_recovery_s
