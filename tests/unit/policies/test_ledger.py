"""One record an operation, however it ends, with what is settled by then."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.call import CacheStatus, Call, DedupeStatus, Warned
from interlingua_gateway.core.errors import GatewayError, PolicyError, Reason
from interlingua_gateway.core.events import AttemptRecord, Finish, FinishReason, Outcome, Usage
from interlingua_gateway.core.ids import operation_id
from interlingua_gateway.core.ledger import Texts
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.run import run
from interlingua_gateway.core.types import CountRequest
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.ledger import Ledger
from interlingua_gateway.policies.transcript import Mask, Transcript
from interlingua_gateway.providers.script import CallTool, Fail, Hang, Say
from tests.support.calls import Reader, ask, call, collect, embed, started, until
from tests.support.innermost import Innermost
from tests.support.journal import Kept
from tests.support.manual_clock import ManualClock

SCRIPTS = {
    "text": (Say("one two three"),),
    "refused": (Fail(Reason.UPSTREAM_RATE_LIMITED, "slow down", 7.0),),
    "stalled": (Say("one"), Hang()),
    "tool": (Say("Let me see."), CallTool("c", "look", '{"at": "bob@example.org"}')),
}


@pytest.fixture
def journal() -> Kept:
    return Kept()


def handler_of(journal: Kept, clock: ManualClock, transcripts=None):
    chain = (Ledger(journal, transcripts), Account())
    return stack(chain, Innermost(clock, SCRIPTS))


def made(clock: ManualClock, request: object = None, **facts: object) -> Call:
    return call(request, clock, call_id=operation_id(clock), **facts)


async def test_a_whole_answer(journal: Kept, clock: ManualClock) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    asked = made(
        clock,
        ask("text"),
        caller=Caller(tenant="acme", project="p", key="k", user="u"),
        tags=("a", "b"),
        metadata={"job": "7"},
        trace={"traceparent": parent},
    )
    asked.queue_s = 0.25
    asked.cache_status, asked.dedupe_status = CacheStatus.MISS, DedupeStatus.LEADER
    asked.warnings.append(Warned("sampling.top_k", "left out"))
    asked.attempts.append(AttemptRecord("d", "stage", "text", Outcome.OK))
    clock.advance(1.5)
    await run(asked, handler_of(journal, clock), collect, clock)
    (found,) = journal.operations
    assert found.id == asked.id
    assert found.accepted_at_ms == int((clock.time() - 1.5) * 1000)
    assert (found.tenant, found.project, found.key, found.user) == ("acme", "p", "k", "u")
    assert (found.method, found.model, found.provider) == ("Generate", "text", "stage")
    assert (found.deployment, found.upstream_model) == ("text", "text")
    assert (found.outcome, found.reason) == ("ok", "")
    assert found.usage == asked.usage
    assert (found.usage.output_tokens, found.cost_nano_usd, found.cost_estimated) == (3, 3, False)
    assert (found.duration_us, found.queue_us) == (1_500_000, 250_000)
    assert (found.cache_status, found.dedupe_status) == ("miss", "leader")
    assert found.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert found.texts is None
    details = found.details
    assert (details.tags, details.metadata) == (("a", "b"), {"job": "7"})
    assert details.attempts == tuple(asked.attempts)
    assert details.warnings == tuple(asked.warnings)


async def test_a_refusal_before_any_upstream_costs_nothing(
    journal: Kept, clock: ManualClock
) -> None:
    async def refuse(call: Call) -> Reply:
        raise PolicyError(Reason.RATE_LIMITED, "slow down")

    with pytest.raises(PolicyError):
        await run(made(clock), stack((Ledger(journal), Account()), refuse), collect, clock)
    (found,) = journal.operations
    assert (found.outcome, found.reason, found.provider) == ("failed", "RATE_LIMITED", "")
    assert (found.cost_nano_usd, found.usage) == (0, Usage())


async def test_a_failure_and_a_cancellation(journal: Kept, clock: ManualClock) -> None:
    handler = handler_of(journal, clock)
    with pytest.raises(GatewayError):
        await run(made(clock, ask("refused")), handler, collect, clock)
    reader = Reader()
    reading = started(made(clock, ask("stalled"), streaming=True), handler, reader, clock)
    await until(lambda: reader.text)
    reading.cancel()
    await asyncio.wait({reading})
    failed, cancelled = journal.operations
    assert (failed.outcome, failed.reason) == ("failed", "UPSTREAM_RATE_LIMITED")
    assert (cancelled.outcome, cancelled.reason) == ("cancelled", "CANCELLED")
    assert cancelled.usage.estimated
    assert cancelled.cost_nano_usd
    assert cancelled.cost_estimated


async def test_an_unknown_price_is_not_zero(journal: Kept, clock: ManualClock) -> None:
    async def unpriced(call: Call) -> Reply:
        call.usage, call.cost = Usage(input_tokens=1), None
        return Reply(Start("d", "p", "m"), (Finish(0, FinishReason.STOP),))

    await run(made(clock), stack((Ledger(journal),), unpriced), collect, clock)
    assert journal.operations[0].cost_nano_usd is None


async def test_an_answer_from_the_cache_costs_nothing(journal: Kept, clock: ManualClock) -> None:
    async def cached(call: Call) -> Reply:
        call.usage, call.cost, call.free = Usage(output_tokens=9), Cost(0), True
        return Reply(Start("d", "p", "m", upstream_id="u"), (Finish(0, FinishReason.STOP),))

    await run(made(clock), stack((Ledger(journal),), cached), collect, clock)
    (found,) = journal.operations
    assert (found.cost_nano_usd, found.usage.output_tokens) == (0, 9)
    assert found.details.upstream_id == "u"


async def test_kinds_of_tokens_without_a_column_are_kept(journal: Kept, clock: ManualClock) -> None:
    async def images(call: Call) -> Reply:
        call.usage = Usage(image_output_tokens=5)
        return Reply(Start("d", "p", "m"), (Finish(0, FinishReason.STOP),))

    await run(made(clock), stack((Ledger(journal),), images), collect, clock)
    assert journal.operations[0].details.usage == Usage(image_output_tokens=5)


@pytest.mark.parametrize("tried", [False, True])
async def test_counting_tokens_is_recorded_where_an_upstream_was_asked(
    journal: Kept, clock: ManualClock, tried: bool
) -> None:
    asked = made(clock, CountRequest(request=ask("text")), method="CountTokens")
    if tried:
        asked.attempts.append(AttemptRecord("d", "p", "m", Outcome.OK))
    await run(asked, handler_of(journal, clock), collect, clock)
    assert len(journal.records) == tried


async def test_a_full_journal_refuses_before_anything_is_done(
    journal: Kept, clock: ManualClock
) -> None:
    journal.full = True
    innermost = Innermost(clock, SCRIPTS)
    with pytest.raises(PolicyError):
        await run(made(clock), stack((Ledger(journal),), innermost), collect, clock)
    assert innermost.requests == []
    assert journal.records == []


def transcripts(max_characters: int = 1000, *patterns: str):
    mask = Mask(Redactor(("hunter2",)), patterns, max_characters)
    return lambda: Transcript(mask)


async def texts_of(
    journal: Kept, clock: ManualClock, request: object, made_transcripts=None
) -> Texts:
    handler = handler_of(journal, clock, made_transcripts or transcripts())
    await run(made(clock, request), handler, collect, clock)
    texts = journal.operations[-1].texts
    assert texts is not None
    return texts


async def test_texts_are_kept_where_that_is_configured(journal: Kept, clock: ManualClock) -> None:
    assert await texts_of(journal, clock, ask("text", "a\n  b")) == Texts(
        "user: a\n  b", "one two three"
    )
    found = await texts_of(journal, clock, ask("tool"))
    assert found.answer == 'Let me see.\nlook {"at": "[redacted]"}'
    assert (await texts_of(journal, clock, embed("a", "b", model="text"))).request == "a\nb"


@pytest.mark.parametrize(
    "secret",
    [
        "hunter2",
        "sk-abcdefghijklmnop0123",
        "ann.b+c@mail.example.org",
        "4111 1111 1111 1111",
        "4111111111111111",
        "378282246310005",
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "+49 (30) 123456-78",
        "CASE-0042",
    ],
)
async def test_secrets_and_personal_data_are_masked(
    journal: Kept, clock: ManualClock, secret: str
) -> None:
    made_transcripts = transcripts(1000, r"CASE-\d+")
    for text in (secret, f"It is {secret}, you see.", f"({secret})\nand"):
        found = await texts_of(journal, clock, ask("text", text), made_transcripts)
        assert found.request == f"user: {text.replace(secret, '[redacted]')}"
    assert secret.encode() not in b"".join(journal.records)


@pytest.mark.parametrize(
    "text",
    ["in 2026, 12 of 34", "1234567", "3.14159265358979323", "10:30 - 11:45", "a@b", "x+1234567890"],
)
async def test_plain_numbers_are_left_alone(journal: Kept, clock: ManualClock, text: str) -> None:
    assert (await texts_of(journal, clock, ask("text", text))).request == f"user: {text}"


async def test_long_texts_are_cut_after_they_were_masked(journal: Kept, clock: ManualClock) -> None:
    secret = "sk-abcdefghijklmnopqrstuvwxyz"
    text = "x" * 10 + " " + secret
    found = await texts_of(journal, clock, ask("text", text), transcripts(20))
    assert found.request == "user: xxxxxxxxxx [r…"
    assert re.fullmatch(r".{20}", found.request)
    assert len(found.answer) <= 20


@pytest.mark.parametrize("piece", ["a", "1", "a-", "a@", "a.", "eyJ12345678-", "://a:b"])
async def test_masking_takes_no_time_that_grows_faster_than_the_text(piece: str) -> None:
    """It runs on the event loop: nobody's prompt may hold up everybody."""
    mask = Mask(Redactor(()), (), 16_384)
    began = time.process_time()
    assert len(mask(piece * (4_000_000 // len(piece)))) == 16_384
    assert time.process_time() - began < 1.0


def test_where_a_long_text_ends_no_half_of_a_secret_is_kept() -> None:
    """Masks that are short bring forward what stands where the text was cut."""
    mask = Mask(Redactor(("long" * 100,)), (), 450)
    assert mask("long" * 100 * 13) == "…"
