"""What is read of a call's context."""

from __future__ import annotations

import pytest

from interlingua_gateway.wire.grpc.exchange import Exchange, trace_context
from tests.support.manual_clock import ManualClock

PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


class Context:
    """The part of a servicer's context that an Exchange reads."""

    def __init__(self, remaining_s: float | None, *metadata: tuple[str, str]) -> None:
        self._remaining_s = remaining_s
        self._metadata = metadata

    def time_remaining(self) -> float | None:
        return self._remaining_s

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata


@pytest.mark.parametrize(
    ("wanted_s", "sent_s"), [(0.3, 0.3), (1.234, 1.24), (14.91, 15.0), (100.1, 101.0), (599, 599)]
)
def test_the_deadline_comes_before_the_callers_own(wanted_s, sent_s):
    """gRPC core rounds a timeout up before it sends it."""
    clock = ManualClock()
    exchange = Exchange("Generate", Context(sent_s), clock, None)
    usable_s = exchange.deadline - clock.monotonic()
    assert wanted_s * 0.93 < usable_s < wanted_s


def test_a_call_without_a_deadline_has_none_but_the_default():
    clock = ManualClock()
    assert Exchange("Generate", Context(None), clock, None).deadline is None
    bounded = Exchange("Generate", Context(None), clock, 100).deadline
    assert bounded is not None
    assert 98 < bounded - clock.monotonic() < 100


def test_a_malformed_trace_context_is_left_out():
    state = ("tracestate", "a=1")
    assert trace_context([("traceparent", PARENT), state]) == {
        "traceparent": PARENT,
        "tracestate": "a=1",
    }
    assert trace_context([("traceparent", "nonsense"), state]) == {}
    long = ("tracestate", "a" * 600)
    assert trace_context([("traceparent", PARENT), long]) == {"traceparent": PARENT}


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ([], ()),
        ([("user-agent", "Bearer x")], ()),
        ([("authorization", "Bearer il_1")], ("il_1",)),
        ([("authorization", "bEARER  il_1 ")], ("il_1",)),
        ([("x-api-key", "il_1")], ("il_1",)),
        ([("authorization", "Basic dXNlcjpw")], ("",)),
        ([("authorization", "")], ("",)),
        ([("authorization", "Bearer a"), ("x-api-key", "a")], ("a", "a")),
        ([("x-api-key", "a"), ("x-api-key", "b")], ("a", "b")),
    ],
)
def test_credentials(metadata, found):
    exchange = Exchange("Generate", Context(1, *metadata), ManualClock(), None)
    assert exchange.tokens == found
