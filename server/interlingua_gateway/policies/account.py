"""Counts what every call used and cost, measured where the provider says it, estimated else."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.call import Call, Ending, Handler, Phase
from interlingua_gateway.core.errors import Reason
from interlingua_gateway.core.estimate import input_tokens, text_tokens
from interlingua_gateway.core.events import (
    AnswerEvent,
    AttemptMade,
    AttemptRecord,
    Batch,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageUpdate,
    added,
)
from interlingua_gateway.core.prices import Cost, cost_of
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.types import CountRequest

REPORT_EVERY_DELTAS = 64


_MAY_HAVE_USED = frozenset({Reason.CANCELLED, Reason.DEADLINE_EXCEEDED, Reason.UPSTREAM_TIMEOUT})


class Account:
    """Keeps `call.usage` and `call.cost` true while the answer passes and when it breaks off.

    A long answer gets the usage so far as an event after every 64 deltas, estimated until the
    provider measures it, so that whoever cancels knows what was spent. Attempts that were paid for
    although another one answered are part of both. An answer that is free (it
    came from the cache, or another call pays for it) has the usage of its original and costs 0.
    """

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        if isinstance(call.request, CountRequest):
            return await inner(call)
        meter = _Meter(call)
        call.defer(meter.settle)
        reply = await inner(call)
        meter.begin()
        reply.filter(meter.count)
        return reply


async def metered(call: Call, inner: Handler) -> Reply:
    """The reply of `inner` as it is, while `call.usage` and `call.cost` follow it.

    For what settles inside of a shared answer, where the call is not the one that is accounted.
    """
    meter = _Meter(call)
    call.defer(meter.settle)
    reply = await inner(call)
    meter.begin()
    reply.tap(meter.see)
    return reply


class _Meter:
    """Follows one answer. `_unmeasured` is the text since the provider's last measurement,
    `_beside` is what other attempts used."""

    __slots__ = (
        "_answered", "_beside", "_call", "_deltas", "_estimated_output", "_measured", "_unmeasured",
    )  # fmt: skip

    def __init__(self, call: Call) -> None:
        self._call = call
        self._deltas = 0
        self._unmeasured: list[str] = []
        self._estimated_output = 0
        self._measured: Usage | None = None
        self._beside: Usage | None = None
        self._answered = False

    def begin(self) -> None:
        """An attempt answers from now on."""
        self._answered = True
        self._measured = None
        self._unmeasured.clear()
        self._estimated_output = 0
        self._beside = _beside(self._call)

    def count(self, batch: Batch) -> Batch:
        """See one batch; adds a usage event when one is due."""
        for event in batch:
            kind = type(event)
            if kind is TextDelta or kind is ReasoningDelta:
                self._unmeasured.append(event.text)  # type: ignore[union-attr]
                self._deltas += 1
            elif kind is ToolCallDelta:
                self._unmeasured.append(event.arguments_json)  # type: ignore[union-attr]
                self._deltas += 1
            elif kind is UsageUpdate:
                self._measure(event.usage)  # type: ignore[union-attr]
            elif kind is AttemptMade:
                self.begin()
        if self._beside is not None:
            batch = tuple(self._totalled(event) for event in batch)
        if self._deltas < REPORT_EVERY_DELTAS:
            return batch
        self._deltas = 0
        usage = self._so_far()
        self._put(usage)
        return (*batch, UsageUpdate(self._total(usage)))

    def see(self, batch: Batch) -> None:
        """See one batch."""
        self.count(batch)

    def _totalled(self, event: AnswerEvent) -> AnswerEvent:
        return UsageUpdate(self._total(event.usage)) if isinstance(event, UsageUpdate) else event

    def _total(self, usage: Usage) -> Usage:
        return usage if self._beside is None else added(usage, self._beside)

    def _measure(self, usage: Usage) -> None:
        self._measured = usage
        self._unmeasured.clear()
        self._estimated_output = 0
        self._deltas = 0
        self._put(usage)

    def _so_far(self) -> Usage:
        self._estimated_output += text_tokens("".join(self._unmeasured))
        self._unmeasured.clear()
        base = self._measured or Usage(input_tokens=input_tokens(self._call.request))
        return msgspec.structs.replace(
            base, output_tokens=base.output_tokens + self._estimated_output, estimated=True
        )

    def _put(self, usage: Usage) -> None:
        self._call.usage = self._total(usage)
        _charge(self._call, usage)

    def settle(self, call: Call, ending: Ending) -> None:
        """The call has ended: estimate what the provider did not measure.

        A call that no upstream began to serve has used nothing.
        """
        if not self._answered:
            self._settle_unanswered(call, ending)
        elif self._measured is None or self._unmeasured or self._estimated_output:
            self._put(self._so_far())
        elif call.free or any(record.cost_nano_usd for record in call.attempts):
            _charge(call, self._measured)  # who pays has changed since it was measured

    def _settle_unanswered(self, call: Call, ending: Ending) -> None:
        """Attempts say what they used; an upstream may charge one that it was still serving."""
        self._beside = _beside(call)
        if self._beside is not None:
            self._put(Usage())
        elif call.phase is Phase.FIRST_TOKEN and ending.reason in _MAY_HAVE_USED:
            self._put(self._so_far())


def _charge(call: Call, usage: Usage) -> None:
    if call.free:
        call.cost = Cost(0)
        return
    price = call.target.price if call.target else None
    paid = [record for record in call.attempts if record.cost_nano_usd]
    own = None if price is None else cost_of(usage, price)
    if not paid:
        call.cost = own
        return
    beside = sum(record.cost_nano_usd or 0 for record in paid)
    # Without a price of what answered, the sum is not all.
    estimated = own is None or own.estimated or any(map(_is_estimated, paid))
    call.cost = Cost((own.nano_usd if own else 0) + beside, estimated)


def _is_estimated(record: AttemptRecord) -> bool:
    return record.usage is None or record.usage.estimated


def _beside(call: Call) -> Usage | None:
    """What attempts used that were paid for beside the one that answers, or None."""
    total: Usage | None = None
    for record in call.attempts:
        if record.usage is not None:
            total = record.usage if total is None else added(total, record.usage)
    return total
