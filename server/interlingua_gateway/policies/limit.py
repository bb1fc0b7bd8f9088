"""Limits of requests, tokens and concurrent calls, by tenant, key, user and model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from interlingua_gateway.core.call import Call, Ending, Handler
from interlingua_gateway.core.ports import Counters
from interlingua_gateway.core.quota import Grant
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.policies.limit_rules import Rules, of_call
from interlingua_gateway.policies.queue import Queue
from interlingua_gateway.telemetry.limits import LimitMetrics


class Limit:
    """Takes from all limits of a call at once, and settles when it ends.

    Tokens are reserved by estimate and corrected to what was used: nothing for an answer that cost
    nothing upstream. A request stays counted, however its call ends. `names` gives for aliases the
    name of their model; `questions` estimates the tokens of what is asked before a call can be sent
    on its way.
    """

    def __init__(
        self,
        rules: Rules,
        queue: Queue,
        counters: Counters,
        names: Mapping[str, str],
        questions: Callable[[Call], int],
        metrics: LimitMetrics,
    ) -> None:
        self._rules = rules
        self._queue = queue
        self._counters = counters
        self._names = names
        self._questions = questions
        self._metrics = metrics

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        size = self._rules.size(call.request)
        if self._rules.counts_tokens:
            size += self._questions(call)
        charges = self._rules.charges(of_call(call, self._names), size)
        if charges:
            grant = await self._queue.enter(call, charges, size)
            self._metrics.reserved(grant)
            call.defer(partial(self._settle, grant))
        return await inner(call)

    def _settle(self, grant: Grant, call: Call, ending: Ending) -> None:
        usage = None if call.free else call.usage
        used = 0.0 if usage is None else float(usage.input_tokens + usage.output_tokens)
        self._metrics.settled(grant)
        self._counters.settle(grant, used)
        self._queue.freed()
