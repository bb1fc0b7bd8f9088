"""A provider that answers from a script, for tests and demonstrations; `echo` is its default."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from interlingua_gateway.core.call import Attempt, Phase
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import Batch
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.providers.performance import Move, moves
from interlingua_gateway.providers.script import Fail, Hang, Script, Wait

ECHO = "echo"


class ScriptedProvider:
    """Implements core.ports.Provider: the target's model name chooses the script, the script `*`
    serves any other name; without it the last user message is echoed.

    Honoured of a request: candidates, the output limit, stop sequences, log probabilities, a
    forced tool call (echo). A token is a word. Embeddings are unit vectors made of the text's
    hash. A finish reason and the usage end every script that neither fails nor hangs.
    """

    def __init__(
        self, name: str, *, clock: Clock, scripts: Mapping[str, Script] | None = None
    ) -> None:
        self.name = name
        self._clock = clock
        self._scripts = dict(scripts or {})
        self._closed = asyncio.Event()
        self._turns: Counter[str] = Counter()

    async def open(self, attempt: Attempt) -> Reply:
        """Play the script up to its first event; see core.ports.Provider."""
        target = attempt.target
        start = Start(
            deployment=target.deployment,
            provider=target.provider,
            model=target.model,
            upstream_model=target.model,
            upstream_id="scripted",
        )
        attempt.phase = Phase.FIRST_TOKEN
        name = target.model if target.model in self._scripts else "*"
        self._turns[name] += 1
        performance = moves(attempt.request, self._scripts.get(name), self._turns[name])
        playing = _Playing(performance, self._clock, self._closed)
        first = await playing.next()
        if first is None:
            raise UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, "The script is empty.")
        if attempt.streaming:
            return Reply(start, first, playing)
        events = [*first]
        while (batch := await playing.next()) is not None:
            events.extend(batch)
        return Reply(start, tuple(events))

    async def models(self) -> Sequence[str]:
        """The names of the scripts."""
        return [ECHO, *(name for name in self._scripts if name not in ("*", ECHO))]

    async def aclose(self) -> None:
        """Break what is being played."""
        self._closed.set()


class _Playing:
    """The rest of a script; each event is a batch of its own."""

    def __init__(self, moves: Iterator[Move], clock: Clock, closed: asyncio.Event) -> None:
        self._moves = moves
        self._clock = clock
        self._closed = closed

    async def next(self) -> Batch | None:
        """The next batch; see core.reply.Source."""
        for move in self._moves:
            if isinstance(move, Wait):
                await self._clock.sleep(move.seconds)
            elif isinstance(move, Hang):
                await self._closed.wait()
            self._check_open()
            if isinstance(move, Fail):
                raise _failure(move)
            if not isinstance(move, Wait | Hang):
                return (move,)
        return None

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise UpstreamError(Reason.UPSTREAM_UNAVAILABLE, "The provider was closed.")

    async def aclose(self) -> None:
        """Nothing more comes."""
        self._moves = iter(())


def _failure(step: Fail) -> UpstreamError:
    return UpstreamError(
        step.reason,
        step.message,
        retry_after_s=step.retry_after_s,
        violations=step.violations,
        resource=step.resource,
        metadata=step.metadata,
    )
