"""Processors of feedback: called in order, bounded, and harmless."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from interlingua_gateway.app.feedback import MAX_WAITING, Processing, processors
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.feedback import Feedback, FeedbackKind


def feedback(number: int) -> Feedback:
    return Feedback(
        id=f"fb_{number}", given_at_ms=0, tenant="", operation_id="", kind=FeedbackKind.USEFUL
    )


async def test_what_blocks_runs_in_a_thread_and_later_pieces_wait() -> None:
    seen: list[str] = []
    held = threading.Event()

    def slow(one: Feedback) -> None:
        assert held.wait(10)
        seen.append(one.id)

    processing = Processing([slow])
    for number in range(MAX_WAITING):
        processing.take(feedback(number))
    held.set()
    await processing.done()
    assert seen == [f"fb_{number}" for number in range(MAX_WAITING)]
    processing.take(feedback(-1))
    await processing.done()
    assert seen[-1] == "fb_-1"


async def test_what_is_too_much_is_told_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    async def keep(one: Feedback) -> None:
        seen.append(one.id)

    seen: list[str] = []
    processing = Processing([keep])
    with caplog.at_level(logging.WARNING, "interlingua.feedback"):
        for number in range(MAX_WAITING + 2):
            processing.take(feedback(number))
    await processing.done()
    assert len(seen) == MAX_WAITING
    assert [record.fields["feedback_id"] for record in caplog.records] == [
        f"fb_{MAX_WAITING}",
        f"fb_{MAX_WAITING + 1}",
    ]


async def test_an_awaitable_that_a_plain_function_returns_is_awaited() -> None:
    seen: list[str] = []

    async def later(one: Feedback) -> None:
        seen.append(one.id)

    def soon(one: Feedback) -> object:
        return later(one)

    processing = Processing([soon])
    processing.take(feedback(1))
    await processing.done()
    assert seen == ["fb_1"]


@pytest.mark.parametrize("name", ["no_such_module:f", "json:no_such_function"])
def test_a_processor_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(InternalError, match=name):
        processors([name])


def test_processors_are_imported() -> None:
    assert processors(["json:dumps"]) == [json.dumps]
