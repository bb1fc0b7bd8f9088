"""Cuts a stream whose requests litellm only made into JSON values, and notes their marks."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError
from interlingua_gateway.providers.litellm.amazon import payloads
from interlingua_gateway.providers.litellm.marks import MAX_EVENT_BYTES, Framing, Marks
from interlingua_gateway.providers.litellm.prepared import Piece
from interlingua_gateway.providers.sse import EventTooLarge, SseParser

_DONE = b"[DONE]"
_FORMS = frozenset({Framing.EVENTS, Framing.AMAZON})


class Values:
    """What the bytes of one stream have completed: `taken` holds chunks of plain text as `plain`
    makes them, and the JSON values that are more. Whoever reads them empties it.

    Only values that are more can carry marks of an end, and so can the first one, which names the
    answer. `done` is set by `[DONE]`, behind which nothing is read.
    """

    __slots__ = ("_amazon", "_first", "_marks", "_plain", "_sse", "_tail", "done", "taken")

    def __init__(self, framing: Framing, marks: Marks, plain: Piece) -> None:
        """Raises:
        UpstreamError: answers of this form are no streams.
        """
        if framing not in _FORMS:
            raise _invalid("The provider's answer is not the stream that was asked for.")
        self._amazon = framing is Framing.AMAZON
        self._marks = marks
        self._plain = plain
        self._sse = SseParser()
        self._tail = b""
        self._first = True
        self.done = False
        self.taken: list[object] = []

    def feed(self, data: bytes) -> GatewayError | None:
        """Take the values that `data` completes, up to a fault, which is returned."""
        try:
            if self._amazon:
                texts, self._tail = payloads(self._tail + data)
            else:
                texts = self._sse.feed(data)
        except EventTooLarge:
            return _invalid("An event of the provider's answer is too large.")
        except (ValueError, msgspec.DecodeError, UnicodeDecodeError):
            return _invalid("A message of the provider's event stream is broken.")
        if len(self._tail) > MAX_EVENT_BYTES:
            return _invalid("An event of the provider's answer is too large.")
        return self._take(texts)

    def end(self) -> None:
        """Take what stands at the end of the bytes without an empty line behind it. If it was cut
        off, the answer is judged by what is missing from it."""
        if not self._amazon and not self.done:
            self._take(self._sse.end())

    def _take(self, texts: list[bytes]) -> GatewayError | None:
        taken, plain = self.taken, self._plain
        for text in texts:
            if text.rstrip() == _DONE:
                self.done = True
                break
            if not text.strip():
                continue
            try:
                value = msgspec.json.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return _invalid("A part of the provider's answer is not valid JSON.")
            if not isinstance(value, dict):
                continue
            chunk = plain(value)
            if chunk is None or self._first:
                self._first = False
                if (fault := self._marks.take(value)) is not None:
                    return fault
            taken.append(value if chunk is None else chunk)
        return None


def _invalid(message: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, message)
