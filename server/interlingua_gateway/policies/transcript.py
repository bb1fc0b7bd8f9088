"""What the ledger keeps of prompts and answers: masked first, then cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.events import Batch, ReasoningDelta, TextDelta, ToolCallDelta
from interlingua_gateway.core.ledger import Texts
from interlingua_gateway.core.redact import MASK, Redactor
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.types import (
    CountRequest,
    EmbedRequest,
    Media,
    Part,
    Reasoning,
    Request,
    Text,
    ToolCall,
)

_PERSONAL: Final = r"""(?x)
    (?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]++@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+   # e-mail
    | \b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?\b   # IBAN
    | (?<![\w.])(?:\d[ \-]?){12,18}\d(?!\w)                          # cards
    | (?<!\w)\+\d[\d ()/.\-]{6,18}\d                                 # telephones with a country
"""
# Each begins where nothing of its kind stands before it, or is short: none takes time that grows
# faster than the text, for this runs on the event loop.

LONGEST_SECRET: Final = 4096
"""Characters; of one that is longer the end may be kept where a text is cut."""


class Mask:
    """Makes texts fit to be kept: secrets and personal data masked, at most `max_characters`."""

    def __init__(self, redact: Redactor, patterns: Sequence[str], max_characters: int) -> None:
        self._redact = redact
        self._patterns = tuple(re.compile(pattern) for pattern in (_PERSONAL, *patterns))
        self._max_characters = max_characters
        self.room = 2 * max_characters + LONGEST_SECRET

    def __call__(self, text: str) -> str:
        """`text` masked, then cut: what a cut would halve could not be recognised any more. What
        stands behind the first `room` characters is not looked at."""
        beyond = len(text) > self.room
        text = self._redact.keep_form(text[: self.room])
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        if beyond:
            text = text[:-LONGEST_SECRET]
        most = self._max_characters
        return text if len(text) <= most and not beyond else text[: most - 1] + "…"


class Transcript:
    """Follows one operation; what passes beyond the mask's `room` is not gathered."""

    __slots__ = ("_answer", "_mask", "_room")

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._room = mask.room + 1
        self._answer: list[str] = []

    def follow(self, reply: Reply) -> None:
        """See the answer as it passes."""
        reply.tap(self._see)

    def texts(self, call: Call) -> Texts:
        """What was asked and what passed, redacted."""
        return Texts(self._mask(asked(call.request)), self._mask("".join(self._answer)))

    def _see(self, batch: Batch) -> None:
        for event in batch if self._room > 0 else ():
            if isinstance(event, TextDelta | ReasoningDelta):
                piece = event.text
            elif isinstance(event, ToolCallDelta):
                piece = f"\n{event.name} " * bool(event.name) + event.arguments_json
            else:
                continue
            self._answer.append(piece)
            self._room -= len(piece)


def asked(request: Request) -> str:
    """The text of a request: one paragraph a message, or a line an input; media by kind alone."""
    if isinstance(request, CountRequest):
        return asked(request.request)
    if isinstance(request, EmbedRequest):
        return "\n".join(item.text or f"[{len(item.tokens)} tokens]" for item in request.inputs)
    return "\n\n".join(
        f"{message.role}: " + "\n".join(_part(part) for part in message.parts)
        for message in request.messages
    )


def _part(part: Part) -> str:
    if isinstance(part, Text | Reasoning):
        return part.text
    if isinstance(part, Media):
        return f"[{part.kind}]"
    if isinstance(part, ToolCall):
        return f"{part.name} {part.arguments_json}"
    return "\n".join(_part(inner) for inner in part.content)
