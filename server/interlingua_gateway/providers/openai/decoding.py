"""Decodes chat completions: a whole body, or the bytes of a stream as they come."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import AnswerEvent
from interlingua_gateway.providers.dialect import Whole
from interlingua_gateway.providers.openai.failures import Failures
from interlingua_gateway.providers.openai.reading import Reading
from interlingua_gateway.providers.openai.shapes import CompletionShape
from interlingua_gateway.providers.sse import EventTooLarge, SseParser

DONE = b"[DONE]"

_completion = msgspec.json.Decoder(CompletionShape).decode


class CompletionDecoder:
    """Implements Decoder: feed it every read, then ask for the end."""

    __slots__ = ("_attempt", "_failures", "_reading", "_sse", "done")

    def __init__(self, attempt: Attempt, reading: Reading, failures: Failures) -> None:
        self._attempt = attempt
        self._failures = failures
        self._reading = reading
        self._sse = SseParser()
        self.done = False

    @property
    def upstream_model(self) -> str:
        """What the upstream called the model."""
        return self._reading.upstream_model

    @property
    def upstream_id(self) -> str:
        """What the upstream called the answer."""
        return self._reading.upstream_id

    def feed(self, data: bytes) -> list[AnswerEvent]:
        """The events that `data` completes; see Decoder."""
        try:
            payloads = self._sse.feed(data)
        except EventTooLarge as error:
            raise _invalid("The provider's stream holds an event without an end.") from error
        return self._events(payloads)

    def end(self) -> list[AnswerEvent]:
        """What an unclosed last event brings; see Decoder."""
        events = [] if self.done else self._events(self._sse.end())
        self._reading.check_complete()
        return events

    def _events(self, payloads: list[bytes]) -> list[AnswerEvent]:
        events: list[AnswerEvent] = []
        take = self._reading.take
        for payload in payloads:
            if payload == DONE:
                self.done = True
                break
            completion = completion_of(payload)
            if completion.failed:
                raise self._failures.of_answer(self._attempt, payload)
            take(completion, events)
        return events


def whole_completion(attempt: Attempt, reading: Reading, failures: Failures, body: bytes) -> Whole:
    """The answer in a whole body; see Dialect.whole."""
    completion = completion_of(body)
    if completion.failed:
        raise failures.of_answer(attempt, body)
    events: list[AnswerEvent] = []
    reading.take(completion, events)
    reading.check_complete()
    return Whole(tuple(events), reading.upstream_model, reading.upstream_id)


def completion_of(data: bytes) -> CompletionShape:
    """A completion or a chunk of one.

    Raises:
        UpstreamError: the bytes are not JSON, or not of that shape.
    """
    try:
        return _completion(data)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _invalid("The provider sent JSON that is broken or of another shape.") from error


def _invalid(text: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, text)
