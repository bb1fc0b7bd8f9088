"""What a program asks of its gateway and changes while it runs."""

import asyncio

import pytest

from interlingua_gateway import (
    CallerError,
    CircuitBreakerConfig,
    FeedbackType,
    PolicyError,
    RateLimitConfig,
    Reason,
    UpstreamError,
)
from tests.support.endless import Endless, openai_tree
from tests.support.upstream import Upstream

DOWN = [{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}]
PRICE = {"input_usd_per_million": 3, "output_usd_per_million": 15}
PRICED = {
    "models": [
        {"name": "default", "targets": [{"provider": "stage", "model": "echo", "price": PRICE}]},
        {"name": "free", "targets": [{"provider": "stage", "model": "free"}]},
    ]
}
ONE = RateLimitConfig(requests_per_minute=1)
UNFORGIVING = {"routing": {"retry": {"rounds": 1}}}


def test_prices_need_no_call(stage):
    gateway = stage(PRICED)
    price = gateway.get_cost("default")
    assert price is not None
    assert (price.input, price.output) == (3_000_000, 15_000_000)
    assert gateway.calculate_cost("default", 1_000_000, 100_000) == 4.5
    assert gateway.get_cost("free") is None
    assert gateway.calculate_cost("free", 1, 1) is None
    with pytest.raises(CallerError) as caught:
        gateway.get_cost("nobody")
    assert caught.value.reason is Reason.MODEL_NOT_FOUND


def test_costs_by_model_and_provider(stage):
    gateway = stage(PRICED)
    gateway.generate("one two", tenant_id="acme")
    gateway.generate("x", "free", tenant_id="acme")
    found = gateway.get_cost_summary("acme")
    assert found.total_cost_usd == pytest.approx(36e-6)
    assert found.by_model == {"default": pytest.approx(36e-6)}
    assert found.by_provider == {"stage": pytest.approx(36e-6)}
    assert found.cost_per_1k_tokens == pytest.approx(9e-3)
    assert found.unpriced_operations == 1
    assert gateway.get_cost_summary("nobody").total_cost_usd is None
    with pytest.raises(CallerError, match="time_range_hours"):
        gateway.get_cost_summary(time_range_hours=0)


async def test_reports_are_awaited_too(stage):
    gateway = stage(PRICED)
    await gateway.generate_async("one two")
    assert (await gateway.aio.get_llmops_metrics()).total_tokens == 4
    assert (await gateway.aio.get_cost_summary()).total_cost_usd == pytest.approx(36e-6)
    insights = await gateway.feedback_loop.get_learning_insights_async()
    assert insights.average_rating is None


def test_models(stage):
    gateway = stage(PRICED)
    assert gateway.list_models() == ["default", "free"]
    assert gateway.models()[0].targets[0].provider == "stage"


async def test_health(stage):
    gateway = stage(UNFORGIVING, down=DOWN)
    assert (await gateway.get_health()).provider_health["stage"].status == "unknown"
    await gateway.generate_async("x")
    found = (await gateway.get_health()).provider_health["stage"]
    assert (found.status, found.success_rate, found.last_error) == ("healthy", 1.0, "")
    assert found.response_time_ms is not None
    with pytest.raises(UpstreamError):
        await gateway.generate_async("x", "down")
    after = await asyncio.to_thread(gateway.health, "stage")
    found = after.provider_health["stage"]
    assert (found.success_rate, found.last_error) == (0.5, "UPSTREAM_UNAVAILABLE")
    with pytest.raises(CallerError, match="There is no provider"):
        await gateway.aio.health("nobody")


def test_limits_of_each_tenant_and_of_one(stage):
    gateway = stage()
    gateway.configure_rate_limiting(RateLimitConfig(requests_per_minute=2))
    for tenant in ("a", "a", "b", "b"):
        gateway.generate("x", tenant_id=tenant)
    with pytest.raises(PolicyError) as caught:
        gateway.generate("x", tenant_id="a")
    assert caught.value.reason is Reason.RATE_LIMITED
    gateway.configure_rate_limiting(RateLimitConfig(requests_per_minute=1), tenant_id="c")
    gateway.generate("x", tenant_id="c")
    with pytest.raises(PolicyError):
        gateway.generate("x", tenant_id="c")
    gateway.configure_rate_limiting(RateLimitConfig(requests_per_minute=1000))
    gateway.generate("x", tenant_id="a")


def test_limits_of_a_provider(stage):
    gateway = stage(UNFORGIVING)
    gateway.configure_rate_limiting(RateLimitConfig(requests_per_minute=1), provider="stage")
    gateway.generate("x")
    with pytest.raises(UpstreamError) as caught:
        gateway.generate("x")
    assert caught.value.reason is Reason.UPSTREAM_RATE_LIMITED


def test_a_call_queues_where_that_is_asked(stage):
    gateway = stage()
    gateway.configure_rate_limiting(
        RateLimitConfig(requests_per_minute=6000, burst=1, enable_queuing=True)
    )
    answers = gateway.batch([str(i) for i in range(5)])
    assert [answer.text for answer in answers] == ["0", "1", "2", "3", "4"]


async def test_a_call_that_waits_keeps_its_limit_when_that_changes(stage):
    gateway = stage()
    slow = RateLimitConfig(requests_per_minute=1, enable_queuing=True, queue_timeout=120)
    gateway.configure_rate_limiting(slow)
    gateway.generate("x")
    waiting = asyncio.ensure_future(gateway.generate_async("x"))
    engine = gateway._host.engine
    while not await gateway._host.call_async(lambda: engine.limits.waiting):
        pass
    gateway.configure_rate_limiting(RateLimitConfig(requests_per_minute=1000))
    assert (await gateway.generate_async("x")).text == "x"
    assert not waiting.done()
    await gateway.aclose()
    with pytest.raises(PolicyError) as caught:
        await waiting
    assert caught.value.reason is Reason.SHUTTING_DOWN


@pytest.mark.parametrize(
    ("config", "whom", "field"),
    [
        (RateLimitConfig(), {}, "rate_limit"),
        (RateLimitConfig(requests_per_minute=0), {}, "rate_limit"),
        (ONE, {"provider": "nobody"}, "provider"),
        (
            RateLimitConfig(requests_per_minute=1),
            {"provider": "stage", "tenant_id": "a"},
            "provider",
        ),
        (
            RateLimitConfig(requests_per_minute=1, enable_queuing=True),
            {"provider": "stage"},
            "enable_queuing",
        ),
    ],
)
def test_limits_that_cannot_be(stage, config, whom, field):
    gateway = stage()
    with pytest.raises(CallerError) as caught:
        gateway.configure_rate_limiting(config, **whom)
    assert [one.subject for one in caught.value.violations] == [field]
    assert gateway.generate("x").text == "x"


def test_circuit_breakers_follow_what_the_program_says(stage):
    gateway = stage(UNFORGIVING, down=DOWN)
    gateway.configure_circuit_breaker(CircuitBreakerConfig(failure_threshold=2, timeout=60))
    reasons = []
    for _ in range(3):
        with pytest.raises(UpstreamError) as caught:
            gateway.generate("x", "down")
        reasons.append(caught.value.reason)
    assert reasons == [
        Reason.UPSTREAM_UNAVAILABLE,
        Reason.UPSTREAM_UNAVAILABLE,
        Reason.CIRCUIT_OPEN,
    ]
    assert caught.value.retry_after_s == pytest.approx(60, abs=5)


def test_circuit_breakers_of_one_provider(stage):
    gateway = stage(UNFORGIVING, down=DOWN)
    strict = CircuitBreakerConfig(failure_threshold=1)
    with pytest.raises(CallerError, match="must be one of stage"):
        gateway.configure_circuit_breaker(strict, provider="nobody")
    gateway.configure_circuit_breaker(strict, provider="stage")
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            gateway.generate("x", "down")
    assert caught.value.reason is Reason.CIRCUIT_OPEN


@pytest.mark.parametrize(
    "config",
    [
        CircuitBreakerConfig(failure_threshold=0),
        CircuitBreakerConfig(success_threshold=0),
        CircuitBreakerConfig(timeout=0),
    ],
)
def test_circuit_breakers_that_cannot_be(stage, config):
    with pytest.raises(CallerError):
        stage().configure_circuit_breaker(config)


def test_feedback_of_every_kind(stage):
    gateway = stage()
    for kind, content in (
        (FeedbackType.RATING, 5),
        (FeedbackType.RATING, 0.0),
        (FeedbackType.USEFUL, True),
        (FeedbackType.CORRECTION, "Bern"),
        (FeedbackType.CORRECTION, "Bern"),
        (FeedbackType.IMPROVEMENT, "shorter"),
        (FeedbackType.ERROR, "cut off"),
    ):
        assert gateway.record_feedback("q", "a", kind, content).startswith("fb_")
    gateway.record_feedback("q", "a", FeedbackType.RATING, 1, scale=1)
    found = gateway.feedback_loop.get_learning_insights()
    assert found.feedback_count == 8
    assert found.average_rating == pytest.approx(2 / 3)
    assert found.useful_rate == 1
    assert found.common_corrections == [("Bern", 2)]
    assert (found.errors, found.improvements) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "content", "options", "field"),
    [
        (FeedbackType.RATING, 6, {}, "content"),
        (FeedbackType.RATING, True, {}, "content"),
        (FeedbackType.RATING, "good", {}, "content"),
        (FeedbackType.RATING, 1, {"scale": 0}, "scale"),
        (FeedbackType.USEFUL, 1, {}, "content"),
        (FeedbackType.CORRECTION, "  ", {}, "content"),
        (FeedbackType.ERROR, "x" * 16_385, {}, "content"),
        (FeedbackType.USEFUL, True, {"query": "", "response": ""}, "operation_id"),
    ],
)
def test_feedback_that_says_nothing(stage, kind, content, options, field):
    said = {"query": "q", "response": "a", "feedback_type": kind, "content": content, **options}
    with pytest.raises(CallerError) as caught:
        stage().record_feedback(**said)
    assert [one.subject for one in caught.value.violations] == [field]


async def test_a_database_that_is_away_does_not_hold_calls_up(stage, tmp_path):
    away = f"postgresql://nobody@/none?host={tmp_path}"
    answer = Endless(silent=True)
    async with Upstream(answer) as upstream:
        gateway = stage({"database": {"url": away}, **openai_tree(upstream.url)})
        with pytest.raises(CallerError) as caught:
            await gateway.generate_async("x", timeout_s=0.2)
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        with pytest.raises(PolicyError) as refused:
            await gateway.aio.get_llmops_metrics()
        assert refused.value.reason is Reason.STORE_UNAVAILABLE
