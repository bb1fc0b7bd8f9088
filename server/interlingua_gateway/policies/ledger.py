"""Records every operation when it has ended: who, what, where it went, what it took and cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from interlingua_gateway.core.call import Call, Ending, Handler
from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.ids import time_ms_of
from interlingua_gateway.core.ledger import Details, Journal, Operation, RecordKind, Texts
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.types import CountRequest

_NOTHING: Final = Usage()
_NOBODY: Final = Start("", "", "")


class Transcript(Protocol):
    """What is kept of the text of one operation."""

    def follow(self, reply: Reply) -> None:
        """See the answer as it passes."""
        ...

    def texts(self, call: Call) -> Texts:
        """What was asked and what passed, redacted."""
        ...


class Ledger:
    """Writes one record a call, whatever becomes of it; CountTokens only where it was tried.

    It is deferred outside of the accounting and so runs after it: usage and cost are settled by
    then. `transcripts` makes what keeps texts, where that is wanted.
    """

    def __init__(
        self, journal: Journal, transcripts: Callable[[], Transcript] | None = None
    ) -> None:
        self._journal = journal
        self._transcripts = transcripts
        self._encoder = msgspec.msgpack.Encoder()

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        self._journal.check()
        start = _NOBODY
        transcript = self._transcripts() if self._transcripts is not None else None

        def ended(call: Call, ending: Ending) -> None:
            if isinstance(call.request, CountRequest) and not call.attempts:
                return
            texts = None if transcript is None else transcript.texts(call)
            operation = _operation(call, ending, start, texts)
            self._journal.append(RecordKind.OPERATION, self._encoder.encode(operation))

        call.defer(ended)
        reply = await inner(call)
        start = reply.start
        if transcript is not None:
            transcript.follow(reply)
        return reply


def _operation(call: Call, ending: Ending, start: Start, texts: Texts | None) -> Operation:
    caller, usage, cost = call.caller, call.usage or _NOTHING, call.cost
    first_s = call.first_event_s
    # Where nothing was used nothing was paid, whatever the price.
    unpriced = cost is None and call.usage is not None
    return Operation(
        id=call.id,
        accepted_at_ms=time_ms_of(call.id),
        method=call.method,
        tenant=caller.tenant,
        project=caller.project,
        key=caller.key,
        user=caller.user,
        model=call.request.model,
        provider=start.provider,
        deployment=start.deployment,
        upstream_model=start.upstream_model or start.model,
        outcome=ending.outcome,
        reason=ending.reason or "",
        usage=usage,
        cost_nano_usd=None if unpriced else cost.nano_usd if cost else 0,
        cost_estimated=cost.estimated if cost else False,
        duration_us=int(ending.duration_s * 1e6),
        first_event_us=None if first_s is None else int(first_s * 1e6),
        queue_us=int(call.queue_s * 1e6),
        cache_status=call.cache_status or "",
        dedupe_status=call.dedupe_status or "",
        trace_id=_trace_id(call),
        details=_details(call, start, usage),
        texts=texts,
    )


def _details(call: Call, start: Start, usage: Usage) -> Details:
    return Details(
        upstream_id=start.upstream_id,
        attempts=tuple(call.attempts),
        warnings=tuple(call.warnings),
        tags=call.tags,
        metadata=call.metadata,
        usage=usage if _has_more(usage) else None,
    )


def _has_more(usage: Usage) -> bool:
    """Whether there are kinds of tokens that have no column of their own."""
    return bool(
        usage.cache_write_1h_input_tokens
        or usage.image_input_tokens
        or usage.image_output_tokens
        or usage.service_tier
    )


def _trace_id(call: Call) -> str:
    """The second field of a W3C traceparent, which the front has checked."""
    parent = call.trace.get("traceparent", "")
    return parent.split("-")[1] if parent else ""
