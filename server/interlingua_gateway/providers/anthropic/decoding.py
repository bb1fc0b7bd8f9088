"""Decodes messages: a whole body, or the bytes of a stream as they come."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import AnswerEvent
from interlingua_gateway.providers.anthropic.failures import Failures
from interlingua_gateway.providers.anthropic.reading import Reading
from interlingua_gateway.providers.anthropic.shapes import EventShape, MessageShape
from interlingua_gateway.providers.dialect import Whole
from interlingua_gateway.providers.sse import EventTooLarge, SseParser

_event = msgspec.json.Decoder(EventShape).decode
_message = msgspec.json.Decoder(MessageShape).decode


class MessageDecoder:
    """Implements Decoder: feed it every read, then ask for the end."""

    __slots__ = ("_attempt", "_failures", "_reading", "_sse")

    def __init__(self, attempt: Attempt, failures: Failures) -> None:
        self._attempt = attempt
        self._failures = failures
        self._reading = Reading()
        self._sse = SseParser()

    @property
    def upstream_model(self) -> str:
        """What the upstream called the model."""
        return self._reading.model

    @property
    def upstream_id(self) -> str:
        """What the upstream called the answer."""
        return self._reading.id

    @property
    def done(self) -> bool:
        """`message_stop` has come, without which no stream is whole."""
        return self._reading.ended

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
        if not self.done:
            raise _invalid("The provider's answer broke off before its end.")
        return events

    def _events(self, payloads: list[bytes]) -> list[AnswerEvent]:
        events: list[AnswerEvent] = []
        reading = self._reading
        try:
            for payload in payloads:
                event = _event(payload)
                if event.type == "error":
                    raise self._failures.of_answer(self._attempt, payload)
                reading.take(event, events)
                if reading.ended:
                    break
        except (msgspec.DecodeError, UnicodeError) as error:
            raise _broken() from error
        reading.tell_usage(events)
        return events


def whole_message(attempt: Attempt, failures: Failures, body: bytes) -> Whole:
    """The answer in a whole body; see Dialect.whole."""
    reading, events = Reading(), list[AnswerEvent]()
    try:
        message = _message(body)
        if message.type == "error":
            raise failures.of_answer(attempt, body)
        if message.type != "message":
            raise _broken()
        reading.whole(message, events)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _broken() from error
    return Whole(tuple(events), reading.model, reading.id)


def _broken() -> UpstreamError:
    return _invalid("The provider sent JSON that is broken or of another shape.")


def _invalid(text: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, text)
