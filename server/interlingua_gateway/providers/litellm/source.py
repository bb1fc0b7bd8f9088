"""The rest of a streamed answer, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.events import AnswerEvent, Batch, UsageUpdate
from interlingua_gateway.providers.litellm.direct import Pieces
from interlingua_gateway.providers.litellm.events import Decoder
from interlingua_gateway.providers.litellm.exchange import Exchange
from interlingua_gateway.providers.litellm.failure import Judge

if TYPE_CHECKING:
    from interlingua_gateway.providers.litellm.library import Answers


class Source:
    """The rest of a streamed answer."""

    __slots__ = ("_answers", "_decoder", "_ended", "_exchange", "_judge")

    def __init__(
        self, answers: Answers | Pieces, decoder: Decoder, exchange: Exchange, judge: Judge
    ) -> None:
        self._answers = answers
        self._decoder = decoder
        self._exchange = exchange
        self._judge = judge
        self._ended = False

    async def first(self) -> Batch:
        """The batch with the first event that is more than a count of the input's tokens."""
        held: list[AnswerEvent] = []
        while (batch := await self.next()) is not None:
            held.extend(batch)
            if not all(isinstance(event, UsageUpdate) for event in batch):
                break
        return held

    async def next(self) -> Batch | None:
        """The events of the next chunk that has any, or None at the true end.

        Raises:
            GatewayError: the answer broke off; nothing more comes.
        """
        if self._ended:
            return None
        try:
            while self._exchange.fault is None:
                chunks = await self._answers.next()
                if chunks is None:
                    break
                if events := self._events(chunks):
                    return events
            if self._exchange.fault is not None:
                raise self._exchange.fault
            events = self._decoder.end()
            self._exchange.finish()
        except GatewayError as error:
            await self.aclose()
            raise self._judge.final(error, self._exchange) from None
        except BaseException:
            await self.aclose()
            raise
        await self.aclose()
        return events or None

    def _events(self, chunks: list[object]) -> list[AnswerEvent]:
        """The events of `chunks`, as far as they can be read."""
        events: list[AnswerEvent] = []
        try:
            for chunk in chunks:
                events.extend(self._decoder.chunk(chunk))
        except GatewayError as error:
            self._exchange.fail(error)
        return events

    async def aclose(self) -> None:
        """End the upstream at once; safe to call twice and after the end."""
        self._ended = True
        self._exchange.close()
        await self._answers.aclose()
