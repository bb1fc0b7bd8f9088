"""Health checks in the background."""

from __future__ import annotations

from collections.abc import Sequence

from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.route.breaker import BreakerSettings
from interlingua_gateway.route.checks import CheckSettings, HealthChecks
from interlingua_gateway.route.fleet import Fleet
from tests.support.calls import until
from tests.support.manual_clock import ManualClock
from tests.support.routing import target


class Account:
    """An upstream that lists its models, fails, or says nothing."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.state = "up"
        self.asked = 0

    async def models(self) -> Sequence[str]:
        self.asked += 1
        if self.state == "down":
            raise UpstreamError(Reason.UPSTREAM_UNAVAILABLE, "down")
        if self.state == "silent":
            await self._clock.sleep(1e6)
        return ["m"]


async def test_failed_checks_open_circuits_and_a_good_one_ends_their_rest(
    clock: ManualClock,
) -> None:
    up, down = Account(clock), Account(clock)
    fleet = Fleet((target("a", "p"), target("b", "q"), target("c", "q")), BreakerSettings())
    settings = CheckSettings(interval_s=10.0, timeout_s=2.0, failures=2)
    tasks = Tasks()
    HealthChecks({"p": up, "q": down}, fleet, settings, clock).start(tasks)

    def states() -> list[str]:
        return [fleet.breaker_state(name) for name in "abc"]

    table = [
        ("down", ["closed", "closed", "closed"]),
        ("silent", ["closed", "open", "open"]),
        ("down", ["closed", "open", "open"]),
    ]
    for count, (state, expected) in enumerate(table, 1):
        down.state = state
        await until(lambda: clock.waiting == 2)
        clock.advance(10.0)  # this clock's random number is 0.5
        await until(lambda count=count: down.asked == count)
        if state == "silent":
            await until(lambda: clock.waiting == 3)
            clock.advance(2.0)
        await until(lambda expected=expected: states() == expected and clock.waiting == 2)
    assert fleet.of(target("b", "q")).obstacle(clock.monotonic()) is not None
    down.state = "up"
    clock.advance(10.0)
    await until(lambda: clock.waiting == 2 and down.asked == 4)
    assert fleet.of(target("b", "q")).obstacle(clock.monotonic()) is None
    await tasks.aclose()
    assert clock.waiting == 0
