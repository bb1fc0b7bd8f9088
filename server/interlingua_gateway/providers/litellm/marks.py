"""Watches the raw bytes of an upstream's answer for its true end, its errors and its corruption.

litellm skips events that are not JSON and lets a stream that simply stops look finished. What the
upstream itself said is therefore read here, beside litellm, from the bytes before litellm sees
them: the end marks of the OpenAI, Anthropic, Gemini, Cohere, Ollama and Bedrock shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError
from interlingua_gateway.providers.litellm.amazon import payloads
from interlingua_gateway.providers.litellm.failure import from_error_object
from interlingua_gateway.providers.litellm.fields import text

MAX_EVENT_BYTES = 32 * 1024 * 1024

_WHOLE = ("stop_reason", "stopReason", "finish_reason", "done_reason", "completionReason")
_IDS = ("id", "responseId", "response_id")
_STREAM_TYPES = frozenset({"message_start", "message-start", "content_block_start", "stream-start"})


class Framing(Enum):
    """How an answer's bytes are cut into JSON texts; OPAQUE bytes are not looked into, and of NAMES
    (one text, as JSON is) only the model and the id are read."""

    OPAQUE = "opaque"
    NAMES = "names"
    JSON = "json"
    AMAZON = "amazon"
    LINES = "lines"
    EVENTS = "events"


class _Names(msgspec.Struct):
    """What an answer says of itself; the rest of it is skipped."""

    model: object = None
    id: object = None


class Marks:
    """What the upstream said of the end of its answer.

    Attributes:
        words: the finish word of each candidate index, as the upstream spelled it.
        known: whether a shape was recognised whose end marks can be trusted to be seen.
        stop_sequence: the stop sequence that was hit, where the upstream names it.
        guesses_reasoning: the shape has no count of reasoning tokens, so litellm's is a guess.
        guesses_input: the answer counts no tokens of the input, so litellm's number is a guess.
        model, id: what the upstream called itself and its answer (litellm makes ids up).
    """

    __slots__ = (
        "_candidates",
        "ended",
        "guesses_input",
        "guesses_reasoning",
        "id",
        "known",
        "model",
        "stop_sequence",
        "words",
    )

    def __init__(self) -> None:
        self.words: dict[int, str] = {}
        self.known = False
        self.ended = False
        self.guesses_reasoning = False
        self.guesses_input = False
        self.stop_sequence = ""
        self.model = ""
        self.id = ""
        self._candidates: set[int] = set()

    @property
    def complete(self) -> bool:
        """Whether every candidate that began has ended."""
        return self.ended or (bool(self.words) and self._candidates <= self.words.keys())

    def take(self, value: object) -> GatewayError | None:
        """Note the marks in one JSON value; an error object in it is returned as an error."""
        if not isinstance(value, dict):
            return None
        if (error := from_error_object(value)) is not None:
            return error
        self._listed(value.get("choices"), "finish_reason")
        self._listed(value.get("candidates"), "finishReason")
        self._single(value)
        if not self.id:
            self.name(value)
            self.name(value.get("message"))
        return None

    def name(self, owner: object) -> None:
        """Note what `owner` calls the model and itself, unless that is known."""
        self.model = self.model or text(owner, "model") or text(owner, "modelVersion")
        self.id = self.id or next(filter(None, (text(owner, key) for key in _IDS)), "")

    def _listed(self, items: object, key: str) -> None:
        if not isinstance(items, list):
            return
        self.known = True
        for position, item in enumerate(items):
            if not isinstance(item, dict):
                continue
            index = item.get("index")
            index = index if isinstance(index, int) else position
            self._candidates.add(index)
            word = item.get(key)
            if isinstance(word, str) and word:
                self.words[index] = word

    def _single(self, value: Mapping[str, object]) -> None:
        kind = value.get("type", value.get("event_type"))
        if kind in _STREAM_TYPES or "done" in value or isinstance(value.get("message"), dict):
            self.known = True
        if kind in ("message_start", "message"):
            self.guesses_reasoning = True
        if value.get("done") is True:
            self.guesses_input = "prompt_eval_count" not in value
            self.known = self.ended = True
        if kind in ("response.completed", "response.incomplete"):
            self.known = self.ended = True
        feedback = value.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            self.known = True
            self.words.setdefault(0, "SAFETY")
        delta = value.get("delta")
        for owner in (value, delta):
            if isinstance(owner, dict):
                self._word(owner)

    def _word(self, owner: Mapping[str, object]) -> None:
        for key in _WHOLE:
            word = owner.get(key)
            if isinstance(word, str) and word:
                self.known = True
                self.words.setdefault(0, word)
        stop = owner.get("stop_sequence")
        if isinstance(stop, str):
            self.stop_sequence = stop


class Watch:
    """Cuts an answer's bytes into JSON texts and notes their marks, without keeping them.

    `done` is set by `[DONE]`, which is not passed on: litellm takes it for a finish, and the OpenAI
    library leaves its iterators open there. `values`, if it is given, gets every JSON value that
    tells of no error.
    """

    __slots__ = ("_event", "_framing", "_open", "_tail", "_values", "done", "marks")

    def __init__(self, framing: Framing, marks: Marks, values: list[object] | None = None) -> None:
        self.marks = marks
        self._values = values
        self.done = False
        self._framing = framing
        self._tail = b""
        self._event: list[bytes] = []
        self._open = False  # within an event: its first lines have come

    def feed(self, data: bytes) -> tuple[bytes, GatewayError | None]:
        """The part of `data` that may be passed on, and the fault that stands behind it."""
        if self._framing is Framing.OPAQUE:
            return data, None
        if len(self._tail) + len(data) > MAX_EVENT_BYTES:
            return b"", _invalid("An event of the provider's answer is too large.")
        if self._framing in (Framing.JSON, Framing.NAMES):
            self._event.append(data)
            return data, None
        if self._framing is Framing.AMAZON:
            return data, self._messages(data)
        position = -len(self._tail)
        *lines, self._tail = (self._tail + data).split(b"\n")
        begun = position if self._open else 0
        for line in lines:
            if not self._open:
                begun = position
            fault = self._line(line.rstrip(b"\r"))
            if fault is not None or self.done:
                return data[: max(0, begun)], fault
            position += len(line) + 1
        return data, None

    def end(self) -> GatewayError | None:
        """The fault that only the end of the bytes shows, if there is one."""
        if self._framing in (Framing.OPAQUE, Framing.AMAZON):
            return None
        if self._framing in (Framing.JSON, Framing.NAMES):
            return self._whole(b"".join(self._event))
        self._line(self._tail.rstrip(b"\r"))
        if self._event:
            self._close()  # one that was cut off is judged by what is missing from the answer
        return None

    def _whole(self, body: bytes) -> GatewayError | None:
        if not body.strip():
            return _invalid("The provider's answer is empty.")
        if self._framing is Framing.NAMES:
            return self._names(body)
        fault = self._json(body)
        if fault is None and self.marks.known and not self.marks.complete:
            return _invalid("The provider's answer has no finish reason.")
        return fault

    def _names(self, body: bytes) -> GatewayError | None:
        try:
            self.marks.name(msgspec.json.decode(body, type=_Names))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _invalid("The provider's answer is not valid JSON.")
        return None

    def _messages(self, data: bytes) -> GatewayError | None:
        try:
            texts, self._tail = payloads(self._tail + data)
        except (ValueError, msgspec.DecodeError, UnicodeDecodeError):
            return _invalid("A message of the provider's event stream is broken.")
        faults = (self._json(text) for text in texts)
        return next((fault for fault in faults if fault is not None), None)

    def _line(self, line: bytes) -> GatewayError | None:
        if self._framing is Framing.LINES:
            return self._json(line) if line.strip() else None
        self._open = bool(line)
        if not line:
            return self._close()
        if line.startswith(b"data:"):
            self._event.append(line[5:].removeprefix(b" "))
        return None

    def _close(self) -> GatewayError | None:
        raw, self._event = b"\n".join(self._event).strip(), []
        self.done = raw == b"[DONE]"
        return self._json(raw) if raw and not self.done else None

    def _json(self, raw: bytes) -> GatewayError | None:
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _invalid("A part of the provider's answer is not valid JSON.")
        fault = self.marks.take(value)
        if fault is None and self._values is not None:
            self._values.append(value)
        return fault


def _invalid(message: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, message)
