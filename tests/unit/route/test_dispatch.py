"""Going from target to target: failover, rounds, rest, hedges; and that nothing is held after."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import CallerError, GatewayError, Reason
from interlingua_gateway.core.events import Answer
from interlingua_gateway.core.run import run
from interlingua_gateway.core.target import Chains, Hedge, Timeouts
from interlingua_gateway.policies.dedupe import Dedupe, DedupeRule
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.policies.flight import Flights
from interlingua_gateway.providers.script import Fail, Hang, Say, Script, Wait
from interlingua_gateway.route.backoff import Budget, RetrySettings
from interlingua_gateway.route.breaker import BreakerSettings
from tests.support.calls import Reader, ask, collect, started, until
from tests.support.manual_clock import ManualClock
from tests.support.routing import Stage, model, priced, target, wishing

DOWN: Script = (Fail(),)
LIMITED: Script = (Fail(Reason.UPSTREAM_RATE_LIMITED, "slow down", 1.5),)
REFUSED: Script = (Fail(Reason.UPSTREAM_REFUSED_CREDENTIALS),)
LATE: Script = (Fail(Reason.UPSTREAM_TIMEOUT),)
NEVER_OPEN = BreakerSettings(failures=10_000, min_attempts=10_000)


async def serve(stage: Stage, call: Call | None = None) -> Answer:
    return await run(call or wishing(clock=stage.clock), stage.dispatch, collect, stage.clock)


async def failing(stage: Stage, call: Call | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await serve(stage, call)
    assert stage.in_flight == 0
    return caught.value


def text(answer: Answer) -> str:
    return "".join(part.text for part in answer.candidates[0].parts)


async def pausing(stage: Stage, call: Call, alarms: int = 1) -> asyncio.Task[Answer]:
    """`call` in a task of its own, at its first wait."""
    task = asyncio.create_task(serve(stage, call))
    await stage.clock.until_waiting(alarms)
    return task


async def test_the_next_target_follows_at_once(clock: ManualClock) -> None:
    stage = Stage(clock, model("m", "a", "b"), scripts={"a": DOWN})
    call = wishing(clock=clock)
    assert text(await serve(stage, call)) == "I am b"
    assert [(r.deployment, str(r.outcome)) for r in call.attempts] == [("a", "failed"), ("b", "ok")]
    assert clock.monotonic() == call.started


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        (DOWN, ["a", "b", "a", "b"]),
        (LIMITED, ["a", "b", "a", "b"]),
        # what the same target would fail with again
        (REFUSED, ["a", "b"]),
        (LATE, ["a", "b"]),
    ],
)
async def test_rounds(clock: ManualClock, script: Script, asked: list[str]) -> None:
    stage = Stage(clock, model("m", "a", "b"), scripts={"a": script, "b": script})
    call = wishing(clock=clock)
    task = asyncio.create_task(serve(stage, call))
    if len(asked) > 2:
        await clock.until_waiting()
        clock.advance(2.0)
    with pytest.raises(GatewayError) as caught:
        await task
    assert stage.upstream.asked == asked
    assert caught.value.reason is Reason.ALL_TARGETS_FAILED
    assert caught.value.metadata["attempts"].count("a=") == asked.count("a")


async def test_a_wait_is_jittered_and_then_it_works(clock: ManualClock) -> None:
    stage = Stage(clock, model("m", "a"), scripts={"a": DOWN})
    task = await pausing(stage, wishing(clock=clock))
    stage.upstream.scripts["a"] = (Say("back"),)
    clock.advance(0.124)
    assert len(stage.upstream.asked) == 1
    clock.advance(0.001)  # half of 0.25 s: this clock's random number is 0.5
    assert text(await task) == "back"


async def test_retry_after_is_waited_for_and_shared_by_siblings_of_the_quota(
    clock: ManualClock,
) -> None:
    a, b = target("a", quota="q"), target("b", quota="q")
    stage = Stage(clock, model("m", a), model("n", b), model("o", "c"), scripts={"a": LIMITED})
    task = await pausing(stage, wishing("m", clock=clock))
    sibling = await pausing(stage, wishing("n", clock=clock), 2)
    assert text(await serve(stage, wishing("o", clock=clock))) == "I am c"
    stage.upstream.scripts["a"] = (Say("again"),)
    clock.advance(1.49)
    assert stage.upstream.asked == ["a", "c"]
    clock.advance(0.2)
    assert [text(await task), text(await sibling)] == ["again", "I am b"]


async def test_a_longer_retry_after_is_told_to_the_caller(clock: ManualClock) -> None:
    script = (Fail(Reason.UPSTREAM_RATE_LIMITED, "slow down", 30.0),)
    stage = Stage(clock, model("m", "a"), scripts={"a": script})
    first = await failing(stage)
    second = await failing(stage)
    assert stage.upstream.asked == ["a"]
    assert [first.reason, second.reason] == [Reason.UPSTREAM_RATE_LIMITED] * 2
    assert [first.retry_after_s, second.retry_after_s] == [30.0, 30.0]


async def test_no_wait_beyond_the_deadline(clock: ManualClock) -> None:
    stage = Stage(clock, model("m", "a"), scripts={"a": DOWN})
    error = await failing(stage, wishing(clock=clock, deadline=clock.monotonic() + 0.1))
    assert error.reason is Reason.UPSTREAM_UNAVAILABLE
    assert clock.monotonic() == 1000.0


async def test_an_outage_does_not_multiply_load(clock: ManualClock) -> None:
    stage = Stage(
        clock,
        model("m", "a"),
        scripts={"a": DOWN},
        breaker=NEVER_OPEN,
        retry=RetrySettings(rounds=4, initial_s=0.0),
        budget=Budget(0.2, 10),
    )
    for _ in range(200):
        task = asyncio.create_task(serve(stage, wishing(clock=clock)))
        while not task.done():
            clock.advance(0.0)
            await until(lambda task=task: task.done() or clock.waiting)
        assert task.exception() is not None
    assert 200 + 40 <= len(stage.upstream.asked) <= 200 + 50


async def test_an_open_circuit_refuses_and_is_tested_after_its_rest(clock: ManualClock) -> None:
    settings = BreakerSettings(failures=2, cooldown_s=5.0, successes=1)
    retry = RetrySettings(rounds=1)
    stage = Stage(clock, model("m", "a"), scripts={"a": DOWN}, breaker=settings, retry=retry)
    await failing(stage)
    await failing(stage)
    refused = await failing(stage)
    assert (refused.reason, refused.retry_after_s) == (Reason.CIRCUIT_OPEN, 5.0)
    assert len(stage.upstream.asked) == 2
    (condition,) = stage.vitals.conditions()
    assert (condition.breaker, condition.status) == ("open", "unhealthy")
    clock.advance(5.0)
    stage.upstream.scripts["a"] = (Hang(),)
    probe = asyncio.create_task(serve(stage))
    await until(lambda: stage.breaker("a") == "half_open")
    with pytest.raises(GatewayError, match="CIRCUIT_OPEN"):
        await serve(stage)
    probe.cancel()
    await asyncio.wait({probe})
    stage.upstream.scripts["a"] = (Say("back"),)
    assert text(await serve(stage)) == "back"
    assert stage.breaker("a") == "closed"


async def test_a_broken_stream_counts_and_a_callers_fault_does_not(clock: ManualClock) -> None:
    settings = BreakerSettings(failures=10_000, error_rate=0.5, min_attempts=4)
    broken: Script = (Say("one"), Fail())
    fault: Script = (Fail(Reason.INVALID_REQUEST),)
    stage = Stage(
        clock, model("m", "a"), model("n", "b"), scripts={"a": broken, "b": fault}, breaker=settings
    )
    for _ in range(2):
        await failing(stage, wishing("m", clock=clock, streaming=True))
    for _ in range(10):
        await failing(stage, wishing("n", clock=clock))
    assert [stage.breaker("a"), stage.breaker("b")] == ["open", "closed"]


async def test_silence_until_the_deadline_opens_the_circuit_and_impatience_does_not(
    clock: ManualClock,
) -> None:
    settings = BreakerSettings(failures=3, silence_s=10.0)
    stage = Stage(clock, model("m", "a"), scripts={"a": (Hang(),)}, breaker=settings)
    for deadline_s, expected in [(1.0, "closed")] * 5 + [(20.0, "closed")] * 2 + [(20.0, "open")]:
        deadline = clock.monotonic() + deadline_s
        task = asyncio.create_task(serve(stage, wishing(clock=clock, deadline=deadline)))
        await until(lambda: stage.in_flight)
        clock.advance(deadline_s)
        await asyncio.wait({task})
        assert stage.breaker("a") == expected


async def test_a_stream_leaves_half_of_its_time_to_the_next_target(clock: ManualClock) -> None:
    stage = Stage(clock, model("m", "a", "b"), scripts={"a": (Hang(),)})
    call = wishing(clock=clock, deadline=clock.monotonic() + 30.0, streaming=True)
    task = await pausing(stage, call, 2)
    clock.advance(15.0)
    assert text(await task) == "I am b"
    assert call.attempts[0].reason == Reason.UPSTREAM_TIMEOUT


async def test_an_answer_that_outlives_its_first_caller_is_still_bounded(
    clock: ManualClock,
) -> None:
    """The first caller's deadline comes before the target's own bound, the second one's after."""
    bounds = Timeouts(first_token_s=20.0)
    stage = Stage(clock, model("m", target("a", timeouts=bounds)), scripts={"a": (Hang(),)})
    tasks = Tasks()
    dedupe = Dedupe(
        Aliases({"m": DedupeRule(configuration="c")}), Flights(tasks, clock), Fingerprints()
    )
    handler = stack((dedupe,), stage.dispatch)
    waiting = []
    for seconds in (5, 60):
        one = wishing("m", clock, streaming=True, deadline=clock.monotonic() + seconds)
        waiting.append(started(one, handler, collect, clock))
        await until(lambda: stage.upstream.asked == ["a"])
    await clock.until_waiting(3)
    for seconds, place, reason in (
        (5, 0, Reason.DEADLINE_EXCEEDED), (15, 1, Reason.UPSTREAM_TIMEOUT),
    ):  # fmt: skip
        clock.advance(seconds)
        with pytest.raises(GatewayError) as caught:
            await waiting[place]
        assert caught.value.reason is reason
    assert (stage.in_flight, clock.waiting) == (0, 0)
    await tasks.aclose()


async def test_a_full_target_is_passed_over(clock: ManualClock) -> None:
    a = target("a", max_concurrency=2)
    stage = Stage(clock, model("m", a, "b"), model("n", a), scripts={"a": (Hang(),)})
    tasks = [asyncio.create_task(serve(stage)) for _ in range(2)]
    await until(lambda: stage.in_flight == 2)
    assert text(await serve(stage)) == "I am b"
    with pytest.raises(GatewayError) as caught:
        await serve(stage, wishing("n", clock=clock))
    assert caught.value.reason is Reason.OVERLOADED
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    stage.upstream.scripts["a"] = (Say("free"),)
    assert text(await serve(stage)) == "free"


CHAINS = Chains(general=("g",), context_window=("c",), content_policy=("p",))


@pytest.mark.parametrize(
    ("reason", "served_by"),
    [
        (Reason.UPSTREAM_UNAVAILABLE, "g"),
        (Reason.CONTEXT_LENGTH_EXCEEDED, "c"),
        (Reason.CONTENT_FILTERED, "p"),
        (Reason.INVALID_REQUEST, None),
    ],
)
async def test_each_failure_has_its_own_chain(
    clock: ManualClock, reason: Reason, served_by: str | None
) -> None:
    models = [model("m", "a", fallbacks=CHAINS), *(model(name, name) for name in "gcp")]
    stage = Stage(clock, *models, scripts={"a": (Fail(reason),)})
    if reason is not Reason.UPSTREAM_UNAVAILABLE:
        _raise(stage, "a", CallerError(reason, "no"))
    call = wishing(clock=clock)
    if served_by is None:
        assert (await failing(stage, call)).reason is reason
    else:
        assert text(await serve(stage, call)) == f"I am {served_by}"


@pytest.mark.parametrize(
    ("windows", "asked"),
    [
        ((100, 100, 1000), ["a", "c"]),
        ((100, 1000, 1000), ["a", "b"]),
        ((None, 100, 1000), ["a"]),
    ],
)
async def test_a_call_that_is_too_long_goes_only_to_larger_targets(
    clock: ManualClock, windows: tuple[int | None, ...], asked: list[str]
) -> None:
    targets = [
        target(name, context_window_tokens=window)
        for name, window in zip("abc", windows, strict=True)
    ]
    stage = Stage(clock, model("m", *targets))
    _raise(stage, "a", CallerError(Reason.CONTEXT_LENGTH_EXCEEDED, "too long"))
    task = asyncio.create_task(serve(stage))
    await asyncio.wait({task})
    assert stage.upstream.asked == asked


async def test_a_target_that_lacks_a_parameter_is_passed_over(clock: ManualClock) -> None:
    stage = Stage(clock, model("m", "a", "b"), model("n", "a"))
    _raise(stage, "a", CallerError(Reason.UNSUPPORTED_PARAMETER, "no"))
    assert text(await serve(stage)) == "I am b"
    assert (await failing(stage, wishing("n", clock=clock))).reason is Reason.UNSUPPORTED_PARAMETER


def _raise(stage: Stage, name: str, error: GatewayError) -> None:
    """From now on the deployment `name` finds the request at fault."""
    plain = stage.upstream.open

    async def opening(attempt: object) -> object:
        reply = await plain(attempt)
        if attempt.target.deployment == name:
            raise error
        return reply

    stage.upstream.scripts.pop(name, None)
    stage.upstream.open = opening


HEDGED = Hedge(after_s=1.0)


async def test_a_slow_first_target_gets_a_rival_and_loses(clock: ManualClock) -> None:
    stage = Stage(
        clock,
        model("m", priced("a", 2.0), priced("b", 2.0), hedge=HEDGED),
        scripts={"a": (Wait(60.0), Say("late"))},
    )
    call = wishing(clock=clock, request=ask("m", "x" * 400))
    task = await pausing(stage, call, 3)
    clock.advance(0.9)
    assert stage.upstream.asked == ["a"]
    clock.advance(0.1)
    assert text(await task) == "I am b"
    assert stage.in_flight == 0
    loser, winner = call.attempts
    assert [loser.deployment, str(loser.outcome)] == ["a", "cancelled"]
    assert [winner.deployment, str(winner.outcome)] == ["b", "ok"]
    assert loser.usage is not None
    assert loser.usage.input_tokens == 104
    assert loser.cost_nano_usd == 104 * 2000
    assert call.target is not None
    assert call.target.deployment == "b"


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_first_may_still_win(clock: ManualClock, streaming: bool) -> None:
    scripts = {"a": (Wait(2.0), Say("slow but first")), "b": (Hang(),)}
    stage = Stage(clock, model("m", "a", "b", hedge=HEDGED), scripts=scripts)
    call = wishing(clock=clock, streaming=streaming)
    task = await pausing(stage, call, 3)
    clock.advance(1.0)
    await until(lambda: stage.in_flight == 2)
    clock.advance(1.0)
    assert text(await task) == "slow but first"
    assert [(r.deployment, str(r.outcome)) for r in call.attempts] == [
        ("b", "cancelled"),
        ("a", "ok"),
    ]
    assert stage.in_flight == 0


async def test_a_failure_before_the_delay_goes_on_as_ever(clock: ManualClock) -> None:
    stage = Stage(clock, model("m", "a", "b", hedge=HEDGED), scripts={"a": DOWN})
    call = wishing(clock=clock)
    assert text(await serve(stage, call)) == "I am b"
    assert [str(r.outcome) for r in call.attempts] == ["failed", "ok"]
    assert clock.waiting == 0


async def test_two_failures_of_a_hedge_go_on_to_the_third(clock: ManualClock) -> None:
    scripts = {"a": (Wait(2.0), Fail()), "b": DOWN}
    stage = Stage(clock, model("m", "a", "b", "c", hedge=HEDGED), scripts=scripts)
    task = await pausing(stage, wishing(clock=clock), 3)
    clock.advance(1.0)
    await until(lambda: stage.upstream.asked == ["a", "b"])
    clock.advance(1.0)
    assert text(await task) == "I am c"


@pytest.mark.parametrize(
    ("ceiling_nano_usd", "budget", "hedged"),
    [
        (None, 10, True),
        (416_000, 10, True),  # 104 tokens at 2 USD a million, twice
        (415_999, 10, False),
        (None, 1, True),
        (None, 0, False),
    ],
)
async def test_a_hedge_costs_at_most_so_much(
    clock: ManualClock, ceiling_nano_usd: int | None, budget: int, hedged: bool
) -> None:
    hedge = Hedge(after_s=1.0, max_cost_nano_usd=ceiling_nano_usd)
    stage = Stage(
        clock,
        model("m", priced("a", 2.0), priced("b", 2.0), hedge=hedge),
        scripts={"a": (Wait(2.0), Say("slow"))},
        budget=Budget(0.0, budget),
    )
    task = await pausing(stage, wishing(clock=clock, request=ask("m", "x" * 400)), 3)
    clock.advance(1.0)
    if not hedged:
        turns = itertools.count()
        await until(lambda: next(turns) > 10)
        clock.advance(1.0)
    assert text(await task) == ("I am b" if hedged else "slow")
    assert ("b" in stage.upstream.asked) is hedged


async def test_a_hedge_after_the_95th_percentile_needs_samples(clock: ManualClock) -> None:
    stage = Stage(clock, model("m", "a", "b", hedge=Hedge()))
    deployment = stage.fleet.of(target("a"))
    for number in range(19):
        deployment.paces[False].saw(0.1 * (number + 1), clock.monotonic())
    await serve(stage)  # the twentieth, at once
    stage.upstream.scripts["a"] = (Wait(60.0), Say("late"))
    task = await pausing(stage, wishing(clock=clock), 3)
    clock.advance(1.79)
    assert stage.in_flight == 1
    clock.advance(0.02)
    assert text(await task) == "I am b"


@pytest.mark.parametrize("hedge", [None, HEDGED], ids=["plain", "hedged"])
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("resumed", [False, True], ids=["", "continued"])
@pytest.mark.parametrize(
    ("scripts", "leaves"),
    [
        ({}, "end"),
        ({"a": DOWN, "b": DOWN}, "fail"),
        ({"a": (Say("one"), Fail()), "b": (Say("two"), Fail())}, "break"),
        ({"a": (Hang(),), "b": (Hang(),)}, "cancel"),
        ({"a": (Say("one"), Hang()), "b": (Say("one"), Hang())}, "cancel"),
        ({"a": (Hang(),), "b": (Hang(),)}, "deadline"),
        ({"a": (Say("one"), Hang()), "b": (Say("one"), Hang())}, "deadline"),
    ],
)
async def test_nothing_is_held_after_the_end(
    clock: ManualClock,
    hedge: Hedge | None,
    streaming: bool,
    resumed: bool,
    scripts: dict[str, Script],
    leaves: str,
) -> None:
    a, b = target("a", max_concurrency=1), target("b", max_concurrency=1)
    retry = RetrySettings(rounds=1)
    stage = Stage(clock, model("m", a, b, hedge=hedge), scripts=scripts, retry=retry)
    deadline = clock.monotonic() + 5.0 if leaves == "deadline" else None
    call = wishing(
        clock=clock, streaming=streaming, deadline=deadline, continue_broken_stream=resumed
    )
    task = started(call, stage.dispatch, Reader(), clock)
    if leaves in ("cancel", "deadline"):
        await until(lambda: stage.in_flight)
        if hedge is not None and not streaming:
            await clock.until_waiting(2)
            clock.advance(1.0)
            await until(lambda: stage.in_flight == 2)
        task.cancel() if leaves == "cancel" else clock.advance(5.0)
    await asyncio.wait({task})
    assert stage.in_flight == 0
    assert [stage.fleet.of(t).bulkhead.in_flight for t in (a, b)] == [0, 0]
    assert clock.waiting == 0
    assert (leaves == "end") is (not task.cancelled() and task.exception() is None)
