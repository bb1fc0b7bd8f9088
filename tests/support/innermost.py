"""The end of a stack of policies: a scripted provider, and the count of what it holds open."""

from __future__ import annotations

from collections.abc import Mapping

from interlingua_gateway.core.call import Attempt, Call, Phase
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.events import Batch
from interlingua_gateway.core.prices import Price
from interlingua_gateway.core.reply import Reply, Source
from interlingua_gateway.core.target import Target
from interlingua_gateway.providers.script import Script
from interlingua_gateway.providers.scripted import ScriptedProvider


def target(name: str) -> Target:
    """The deployment that serves the model `name`; a token costs 1 nano-USD."""
    return Target(
        deployment=name, provider="stage", model=name, label=name, price=Price(input=0, output=1000)
    )


class Innermost:
    """A handler that plays the script of the requested model; `open` answers are held now."""

    def __init__(self, clock: Clock, scripts: Mapping[str, Script]) -> None:
        self.provider = ScriptedProvider("stage", clock=clock, scripts=scripts)
        self.open = 0
        self.requests: list[object] = []

    async def __call__(self, call: Call) -> Reply:
        call.target = target(call.request.model)
        self.requests.append(call.request)
        self.open += 1
        call.phase = Phase.FIRST_TOKEN
        attempt = Attempt(call.request, call.target, streaming=call.streaming)
        try:
            reply = await self.provider.open(attempt)
        except BaseException:
            self.open -= 1
            raise
        call.phase = Phase.STREAM
        if reply.source is None:
            self.open -= 1
        else:
            reply.source = _Held(reply.source, self)
        return reply


class _Held:
    def __init__(self, source: Source, innermost: Innermost) -> None:
        self._source = source
        self._innermost = innermost
        self._held = True

    async def next(self) -> Batch | None:
        return await self._source.next()

    async def aclose(self) -> None:
        if self._held:
            self._held = False
            self._innermost.open -= 1
        await self._source.aclose()
