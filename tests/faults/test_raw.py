"""Faults that no mock plays, byte by byte: each ends in its row of the error table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from grpc import StatusCode

from tests.faults.checks import ends_as, nothing_shows
from tests.support.library_warnings import OF_THE_LIBRARY
from tests.support.llmock_gateway import CANARIES, DEADLINE_S, SUBJECTS, Faulty, Raw, Subject, alias
from tests.support.upstream import LAST_CHUNK, STREAM_HEAD, Visit, chunk, whole
from tests.support.wires import Wire

pytestmark = [
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.usefixtures("nothing_stays"),
    *(pytest.mark.filterwarnings(warning) for warning in OF_THE_LIBRARY),
]

Play = Callable[[Visit, Wire], Awaitable[bool | None]]

both = pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])


async def disconnect(visit: Visit, wire: Wire) -> None:
    """Close before the first byte."""
    visit.reset()


async def end(visit: Visit, wire: Wire) -> None:
    """Close in order, before the first byte."""


async def half_a_head(visit: Visit, wire: Wire) -> None:
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Ty")


async def no_http(visit: Visit, wire: Wire) -> None:
    await visit.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def empty_json(visit: Visit, wire: Wire) -> bool:
    await visit.send(whole(b""))
    return True


async def empty_stream(visit: Visit, wire: Wire) -> bool:
    await visit.send(STREAM_HEAD + LAST_CHUNK)
    return True


async def comments_only(visit: Visit, wire: Wire) -> bool:
    await visit.send(STREAM_HEAD + chunk(b": keep-alive\n\n") + LAST_CHUNK)
    return True


async def done_only(visit: Visit, wire: Wire) -> bool:
    await visit.send(STREAM_HEAD + chunk(b"data: [DONE]\n\n") + LAST_CHUNK)
    return True


async def page(visit: Visit, wire: Wire) -> bool:
    """A 200 of another kind, such as a captive portal or a load balancer sends."""
    await visit.send(whole(b"<html>Welcome</html>", content_type="text/html"))
    return True


async def picture(visit: Visit, wire: Wire) -> bool:
    await visit.send(whole(b"\x89PNG\r\n\x1a\n", content_type="image/png"))
    return True


async def half_a_body(visit: Visit, wire: Wire) -> None:
    body = whole(wire.whole)
    await visit.send(body[: len(body) - len(wire.whole) // 2])


async def half_json(visit: Visit, wire: Wire) -> bool:
    await visit.send(whole(wire.whole[: len(wire.whole) // 2]))
    return True


async def other_json(visit: Visit, wire: Wire) -> bool:
    await visit.send(whole(b'{"ok":true}'))
    return True


async def list_json(visit: Visit, wire: Wire) -> bool:
    await visit.send(whole(b"[1,2]"))
    return True


async def stalled_body(visit: Visit, wire: Wire) -> None:
    body = whole(wire.whole)
    await visit.send(body[: len(body) - len(wire.whole) // 2])
    await visit.gone()


async def silent(visit: Visit, wire: Wire) -> None:
    await visit.gone()


async def stall(visit: Visit, wire: Wire) -> None:
    await visit.gone()


async def broken_chunk(visit: Visit, wire: Wire) -> None:
    await visit.send(b"zz\r\nno chunk\r\n")


async def reset(visit: Visit, wire: Wire) -> None:
    visit.reset()


async def error_object(visit: Visit, wire: Wire) -> bool:
    error = b'data: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n'
    await visit.send(chunk(error) + LAST_CHUNK)
    return True


async def no_utf8(visit: Visit, wire: Wire) -> bool:
    await visit.send(chunk(b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n') + LAST_CHUNK)
    return True


async def page_midway(visit: Visit, wire: Wire) -> bool:
    await visit.send(chunk(b"<html>502 Bad Gateway</html>") + LAST_CHUNK)
    return True


class Case(msgspec.Struct, frozen=True):
    """A fault and its end. `cause` is that of a broken stream."""

    play: Play
    reason: str
    cause: str = ""
    hasty: bool = False


def _cases(*cases: Case) -> pytest.MarkDecorator:
    ids = [case.play.__name__.replace("_", "-") for case in cases]
    return pytest.mark.parametrize("case", cases, ids=ids)


@both
@_cases(
    Case(disconnect, "UPSTREAM_UNAVAILABLE"),
    Case(end, "UPSTREAM_UNAVAILABLE"),
    Case(half_a_head, "UPSTREAM_UNAVAILABLE"),
    Case(no_http, "UPSTREAM_INVALID_RESPONSE"),
    Case(empty_json, "UPSTREAM_INVALID_RESPONSE"),
    Case(page, "UPSTREAM_INVALID_RESPONSE"),
    Case(picture, "UPSTREAM_INVALID_RESPONSE"),
    Case(half_a_body, "UPSTREAM_UNAVAILABLE"),
    Case(half_json, "UPSTREAM_INVALID_RESPONSE"),
    Case(other_json, "UPSTREAM_INVALID_RESPONSE"),
    Case(list_json, "UPSTREAM_INVALID_RESPONSE"),
    Case(silent, "UPSTREAM_TIMEOUT", hasty=True),
    Case(stalled_body, "UPSTREAM_TIMEOUT", hasty=True),
)
async def test_before_any_answer(
    gateway: Faulty, raw: Raw, subject: Subject, case: Case, streaming: bool
) -> None:
    await play(gateway, raw, subject, case, streaming=streaming)


@pytest.mark.parametrize("subject", SUBJECTS[:2], ids=lambda subject: subject.name)
@_cases(
    Case(disconnect, "UPSTREAM_UNAVAILABLE"),
    Case(empty_json, "UPSTREAM_INVALID_RESPONSE"),
    Case(page, "UPSTREAM_INVALID_RESPONSE"),
    Case(half_a_body, "UPSTREAM_UNAVAILABLE"),
    Case(half_json, "UPSTREAM_INVALID_RESPONSE"),
    Case(other_json, "UPSTREAM_INVALID_RESPONSE"),
    Case(list_json, "UPSTREAM_INVALID_RESPONSE"),
    Case(stalled_body, "UPSTREAM_TIMEOUT", hasty=True),
)
async def test_embeddings(gateway: Faulty, raw: Raw, subject: Subject, case: Case) -> None:
    await play(gateway, raw, subject, case, vectors=True)


@_cases(
    Case(empty_stream, "UPSTREAM_INVALID_RESPONSE"),
    Case(comments_only, "UPSTREAM_INVALID_RESPONSE"),
    Case(done_only, "UPSTREAM_INVALID_RESPONSE"),
)
async def test_empty_stream(gateway: Faulty, raw: Raw, subject: Subject, case: Case) -> None:
    await play(gateway, raw, subject, case, streaming=True)


@_cases(
    Case(stall, "STREAM_BROKEN", "UPSTREAM_TIMEOUT", hasty=True),
    Case(reset, "STREAM_BROKEN", "UPSTREAM_UNAVAILABLE"),
    Case(end, "STREAM_BROKEN", "UPSTREAM_UNAVAILABLE"),
    Case(broken_chunk, "STREAM_BROKEN", "UPSTREAM_INVALID_RESPONSE"),
    Case(error_object, "STREAM_BROKEN", "UPSTREAM_UNAVAILABLE"),
    Case(no_utf8, "STREAM_BROKEN", "UPSTREAM_INVALID_RESPONSE"),
    Case(page_midway, "STREAM_BROKEN", "UPSTREAM_INVALID_RESPONSE"),
)
async def test_in_mid_stream(gateway: Faulty, raw: Raw, subject: Subject, case: Case) -> None:
    """The stream begins, the caller sees its first text, and then the fault comes."""

    async def begin(visit: Visit, wire: Wire) -> bool | None:
        await visit.send(wire.head + b"".join(chunk(p) for p in wire.pieces[: wire.unfinished]))
        await gateway.begun.wait()
        return await case.play(visit, wire)

    begun = msgspec.structs.replace(case, play=begin)
    await play(gateway, raw, subject, begun, streaming=True)


async def play(gateway: Faulty, raw: Raw, subject: Subject, case: Case, **how: bool) -> None:
    raw.answer = lambda visit: case.play(visit, subject.wire)
    raw.answered.clear()
    visited = len(raw.visits)
    outcome = await gateway.call(alias(subject, raw=True, hasty=case.hasty), **how)
    broken = case.reason == "STREAM_BROKEN"
    code = StatusCode.ABORTED if broken else StatusCode.UNAVAILABLE
    ends_as(outcome, code, case.reason, retry_s=None if broken else 1, cause=case.cause)
    await nothing_shows(gateway, outcome)
    assert len(raw.visits) == visited + 1
    async with asyncio.timeout(DEADLINE_S):
        await raw.answered.wait()  # one that waits for the connection's end has seen it


REPEATED = " and ".join(CANARIES.values())


@both
@pytest.mark.parametrize(
    ("status", "code", "reason", "retry_s"),
    [
        ("400 Bad Request", StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", None),
        ("401 Unauthorized", StatusCode.INTERNAL, "UPSTREAM_REFUSED_CREDENTIALS", None),
        ("403 Forbidden", StatusCode.INTERNAL, "UPSTREAM_REFUSED_CREDENTIALS", None),
        ("429 Too Many Requests", StatusCode.UNAVAILABLE, "UPSTREAM_RATE_LIMITED", 1),
        ("500 Internal Server Error", StatusCode.UNAVAILABLE, "UPSTREAM_UNAVAILABLE", 1),
    ],
    ids=["400", "401", "403", "429", "500"],
)
async def test_upstream_that_repeats_the_keys(
    gateway: Faulty,
    raw: Raw,
    subject: Subject,
    status: str,
    code: StatusCode,
    reason: str,
    retry_s: float | None,
    streaming: bool,
) -> None:
    message = f"Incorrect key provided: {REPEATED}. Find your key on the page of keys."
    body = msgspec.json.encode(
        {"type": "error", "error": {"message": message, "type": "invalid", "code": REPEATED}}
    )

    async def answer(visit: Visit) -> bool:
        await visit.send(whole(body, status, headers=[f"X-Request-Id: {CANARIES['NATIVE_KEY']}"]))
        return True

    raw.answer = answer
    outcome = await gateway.call(alias(subject, raw=True), streaming=streaming)
    ends_as(outcome, code, reason, retry_s=retry_s)
    await nothing_shows(gateway, outcome)
