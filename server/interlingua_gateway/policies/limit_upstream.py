"""Limits of requests, tokens and concurrent attempts at a provider, whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import Batch, UsageUpdate
from interlingua_gateway.core.ports import Counters, Headroom, Provider
from interlingua_gateway.core.quota import Grant, Refusal
from interlingua_gateway.core.reply import Reply, Source
from interlingua_gateway.core.target import Target
from interlingua_gateway.policies.limit_errors import rate_limited
from interlingua_gateway.policies.limit_rules import Rules, of_target
from interlingua_gateway.telemetry.limits import LimitMetrics


class LimitedProvider:
    """A provider that refuses as the upstream itself would, before it is asked: the routing then
    goes to the next target.

    Tokens are corrected to what the provider measured; where it measured nothing they stay as
    estimated, and an attempt that failed before its first event gives them back.
    """

    def __init__(
        self, provider: Provider, rules: Rules, counters: Counters, metrics: LimitMetrics
    ) -> None:
        self._provider = provider
        self._rules = rules
        self._counters = counters
        self._metrics = metrics

    async def open(self, attempt: Attempt) -> Reply:
        """The provider's own reply.

        Raises:
            UpstreamError: UPSTREAM_RATE_LIMITED; a limit of the configuration is reached.
        """
        size = self._rules.size(attempt.request)
        charges = self._rules.charges(of_target(attempt.target), size)
        if not charges:
            return await self._provider.open(attempt)
        given = await self._counters.reserve(charges)
        if isinstance(given, Refusal):
            raise self._refused(given)
        held = _Held(given, self._counters, self._metrics)
        try:
            reply = await self._provider.open(attempt)
        except BaseException:
            held.settle(0.0)
            raise
        if reply.source is None:
            return await _whole(reply, held)
        reply.tap(held.see)
        reply.source = _Released(reply.source, held)
        return reply

    async def models(self) -> Sequence[str]:
        """The provider's own."""
        return await self._provider.models()

    async def aclose(self) -> None:
        """Close the provider."""
        await self._provider.aclose()

    def _refused(self, refusal: Refusal) -> UpstreamError:
        said = rate_limited(refusal)
        self._metrics.refused(said)
        return UpstreamError(
            Reason.UPSTREAM_RATE_LIMITED,
            said.message,
            retry_after_s=said.retry_after_s,
            metadata=said.metadata,
        )


class UpstreamLimits:
    """What is left of the limits of each deployment; implements LimitBoard."""

    def __init__(self, targets: Sequence[Target], rules: Rules, counters: Counters) -> None:
        self._targets = targets
        self._rules = rules
        self._counters = counters

    async def headroom(self) -> Mapping[str, Sequence[Headroom]]:
        """By name of deployment, from one look at the counters."""
        rows = [
            (target.deployment, bucket)
            for target in self._targets
            for bucket in self._rules.buckets(of_target(target))
        ]
        left = await self._counters.remaining([bucket for _, bucket in rows])
        found: dict[str, list[Headroom]] = {}
        for (deployment, bucket), remaining in zip(rows, left, strict=True):
            room = Headroom(str(bucket.measure), int(bucket.capacity), int(remaining))
            found.setdefault(deployment, []).append(room)
        return found


class _Held:
    """What one attempt has taken, until it is settled once."""

    __slots__ = ("_counters", "_grant", "_metrics", "_used")

    def __init__(self, grant: Grant, counters: Counters, metrics: LimitMetrics) -> None:
        self._grant: Grant | None = grant
        self._counters = counters
        self._metrics = metrics
        self._used: float | None = None
        metrics.reserved(grant)

    def see(self, batch: Batch) -> None:
        """Note what the provider measured."""
        for event in batch:
            if isinstance(event, UsageUpdate):
                self._used = float(event.usage.input_tokens + event.usage.output_tokens)

    def end(self) -> None:
        """The attempt is over."""
        self.settle(self._used)

    def settle(self, tokens: float | None) -> None:
        """Give back; a second time does nothing."""
        grant, self._grant = self._grant, None
        if grant is not None:
            self._metrics.settled(grant)
            self._counters.settle(grant, tokens)


class _Released:
    """A source that gives back when it ends."""

    __slots__ = ("_held", "_source")

    def __init__(self, source: Source, held: _Held) -> None:
        self._source = source
        self._held = held

    async def next(self) -> Batch | None:
        """The next batch, or None at the end."""
        try:
            batch = await self._source.next()
        except BaseException:
            self._held.end()
            raise
        if batch is None:
            self._held.end()
        return batch

    async def aclose(self) -> None:
        """End the upstream."""
        self._held.end()
        await self._source.aclose()


async def _whole(reply: Reply, held: _Held) -> Reply:
    """The same whole answer, of which nothing is held any more."""
    batch = await reply.next() or ()
    held.see(batch)
    held.end()
    return Reply(reply.start, batch)
