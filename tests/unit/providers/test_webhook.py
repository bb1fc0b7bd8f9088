"""Events that are posted: signed, in order, again when it fails, and never for ever."""

from __future__ import annotations

import hashlib
import hmac
import logging

import pytest

from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.providers.transport.client import HttpClient
from interlingua_gateway.providers.webhook import ATTEMPTS, MAX_WAITING, Webhook
from tests.support.manual_clock import ManualClock
from tests.support.upstream import Upstream, Visit

SECRET = "hush"


class Impatient(SystemClock):
    """The real time, but nobody has to wait; `slept` are the times they would have."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Receiver:
    """Answers with `statuses`, the last one again and again; None breaks the connection."""

    def __init__(self, *statuses: int | None) -> None:
        self._statuses = list(statuses)

    async def __call__(self, visit: Visit) -> bool:
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        if status is None:
            visit.reset()
            return False
        await visit.send(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\nok" % status)
        return True


def webhook(upstream: Upstream, clock: SystemClock) -> Webhook:
    return Webhook(f"{upstream.url}/alerts", SECRET, HttpClient(clock=clock), clock)


async def test_a_post_is_signed() -> None:
    async with Upstream(Receiver(202)) as upstream:
        found = webhook(upstream, Impatient())
        found.post(b'{"a": 1}')
        await found.delivered()
        await found.aclose()
    (visit,) = upstream.visits
    headers = visit.headers
    assert (visit.method, visit.path, visit.body) == ("POST", "/alerts", b'{"a": 1}')
    assert headers["content-type"] == "application/json"
    assert headers["interlingua-delivery"].startswith("evt_")
    signed = headers["interlingua-timestamp"].encode() + b'.{"a": 1}'
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["interlingua-signature"] == f"sha256={expected}"


async def test_it_is_sent_again_with_the_same_id() -> None:
    clock = Impatient()
    async with Upstream(Receiver(503, None, 429, 200)) as upstream:
        found = webhook(upstream, clock)
        found.post(b"1")
        found.post(b"2")
        await found.delivered()
        await found.aclose()
    assert [visit.body for visit in upstream.visits] == [b"1", b"1", b"1", b"1", b"2"]
    assert len({visit.headers["interlingua-delivery"] for visit in upstream.visits}) == 2
    # The broken connection was a kept one: the transport replaces that itself.
    for slept, longest in zip(clock.slept, (1.0, 2.0), strict=True):
        assert longest / 2 <= slept <= longest


@pytest.mark.parametrize(("status", "visits"), [(500, ATTEMPTS), (404, 1), (301, 1)])
async def test_it_gives_up(status: int, visits: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    clock = Impatient()
    async with Upstream(Receiver(status)) as upstream:
        found = webhook(upstream, clock)
        found.post(b"1")
        await found.delivered()
        await found.aclose()
    assert len(upstream.visits) == visits
    (record,) = caplog.records
    assert record.fields["reason"] == f"status {status}"
    assert SECRET not in str(record.__dict__)
    assert sum(clock.slept) < 600


async def test_a_receiver_that_is_away_holds_up_a_bounded_number(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with Upstream(Receiver(None)) as upstream:
        found = Webhook(upstream.url, SECRET, HttpClient(clock=clock), clock)
        for number in range(MAX_WAITING + 1):
            found.post(str(number).encode())
        assert [record.fields["reason"] for record in caplog.records] == ["too many wait"]
        caplog.clear()
        await found.aclose()
    assert len(caplog.records) == MAX_WAITING
