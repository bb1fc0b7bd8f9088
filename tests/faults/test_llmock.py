"""Faults of providers as llmock plays them: each ends in its row of the error table."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from grpc import StatusCode
from llmock.pytest_plugin import LLMock

from tests.faults.checks import ends_as, nothing_shows
from tests.support.library_warnings import OF_THE_LIBRARY
from tests.support.llmock_gateway import SUBJECTS, Faulty, Subject, alias

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.usefixtures("nothing_stays"),
    *(pytest.mark.filterwarnings(warning) for warning in OF_THE_LIBRARY),
]

TEXT = "one two three four five six seven eight nine ten"
LONG_S = 0.6
"""Far longer than a hasty model waits."""
AFTER = 5
"""Events after which a stream has begun in every dialect."""
PACE_MS = 20

both = pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])


class Case(msgspec.Struct, frozen=True):
    """A fault and its end. `cause` is that of a broken stream."""

    play: Callable[[LLMock], object]
    code: StatusCode
    reason: str
    retry_s: float | None = None
    cause: str = ""
    hasty: bool = False


STATUSES = {
    "429": Case(
        lambda llmock: llmock.fail(429, retry_after=7),
        StatusCode.UNAVAILABLE,
        "UPSTREAM_RATE_LIMITED",
        retry_s=7,
    ),
    "401": Case(
        lambda llmock: llmock.fail(401), StatusCode.INTERNAL, "UPSTREAM_REFUSED_CREDENTIALS"
    ),
    **{
        str(status): Case(
            lambda llmock, status=status: llmock.fail(status),
            StatusCode.UNAVAILABLE,
            "UPSTREAM_UNAVAILABLE",
            retry_s=1,
        )
        for status in (500, 503, 529)
    },
    "slow": Case(
        lambda llmock: llmock.delay(LONG_S),
        StatusCode.UNAVAILABLE,
        "UPSTREAM_TIMEOUT",
        retry_s=1,
        hasty=True,
    ),
}

BEFORE = {
    "disconnect": Case(
        lambda llmock: llmock.disconnect(after_chunks=0),
        StatusCode.UNAVAILABLE,
        "UPSTREAM_UNAVAILABLE",
        retry_s=1,
    ),
    "truncation": Case(
        lambda llmock: llmock.truncate(after_chunks=0),
        StatusCode.UNAVAILABLE,
        "UPSTREAM_INVALID_RESPONSE",
        retry_s=1,
    ),
    "corrupt": Case(
        lambda llmock: llmock.corrupt(after_chunks=0),
        StatusCode.UNAVAILABLE,
        "UPSTREAM_INVALID_RESPONSE",
        retry_s=1,
    ),
    "slow-first-token": Case(
        lambda llmock: llmock.slow_first_token(LONG_S),
        StatusCode.UNAVAILABLE,
        "UPSTREAM_TIMEOUT",
        retry_s=1,
        hasty=True,
    ),
}

MIDWAY = {
    "disconnect": Case(
        lambda llmock: llmock.disconnect(after_chunks=AFTER),
        StatusCode.ABORTED,
        "STREAM_BROKEN",
        cause="UPSTREAM_UNAVAILABLE",
    ),
    "truncation": Case(
        lambda llmock: llmock.truncate(after_chunks=AFTER),
        StatusCode.ABORTED,
        "STREAM_BROKEN",
        cause="UPSTREAM_INVALID_RESPONSE",
    ),
    "corrupt": Case(
        lambda llmock: llmock.corrupt(after_chunks=AFTER),
        StatusCode.ABORTED,
        "STREAM_BROKEN",
        cause="UPSTREAM_INVALID_RESPONSE",
    ),
    "stall": Case(
        lambda llmock: llmock.stall(after_chunks=AFTER, seconds=LONG_S),
        StatusCode.ABORTED,
        "STREAM_BROKEN",
        cause="UPSTREAM_TIMEOUT",
        hasty=True,
    ),
}


@both
@pytest.mark.parametrize("case", STATUSES.values(), ids=STATUSES)
async def test_before_any_answer(
    gateway: Faulty, llmock: LLMock, subject: Subject, case: Case, streaming: bool
) -> None:
    await play(gateway, llmock, subject, case, streaming=streaming)


@pytest.mark.parametrize("case", BEFORE.values(), ids=BEFORE)
async def test_before_the_first_event(
    gateway: Faulty, llmock: LLMock, subject: Subject, case: Case
) -> None:
    await play(gateway, llmock, subject, case, streaming=True)


@pytest.mark.parametrize("case", MIDWAY.values(), ids=MIDWAY)
async def test_in_mid_stream(gateway: Faulty, llmock: LLMock, subject: Subject, case: Case) -> None:
    llmock.pace(PACE_MS)  # what comes with the fault in one read is not sent before it
    await play(gateway, llmock, subject, case, streaming=True)


@both
async def test_without_a_fault(
    gateway: Faulty, llmock: LLMock, subject: Subject, streaming: bool
) -> None:
    llmock.reply(TEXT)
    outcome = await gateway.call(alias(subject), streaming=streaming)
    assert outcome.failure is None
    assert all(word in outcome.seen for word in TEXT.split())
    await nothing_shows(gateway, outcome)


@pytest.mark.parametrize("subject", SUBJECTS[:2], ids=lambda subject: subject.name)
@pytest.mark.parametrize("case", [None, *STATUSES.values()], ids=["no-fault", *STATUSES])
async def test_embeddings(
    gateway: Faulty, llmock: LLMock, subject: Subject, case: Case | None
) -> None:
    if case is not None:
        await play(gateway, llmock, subject, case, vectors=True)
    else:
        assert (await gateway.call(alias(subject), vectors=True)).failure is None


async def play(gateway: Faulty, llmock: LLMock, subject: Subject, case: Case, **how: bool) -> None:
    llmock.reply(TEXT)
    case.play(llmock)
    outcome = await gateway.call(alias(subject, hasty=case.hasty), **how)
    ends_as(outcome, case.code, case.reason, retry_s=case.retry_s, cause=case.cause)
    await nothing_shows(gateway, outcome)
    assert len(llmock.requests) == 1  # nothing is asked again behind the caller's back
