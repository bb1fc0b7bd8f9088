"""What passes between the attempt and the parts of litellm that make its request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from interlingua_gateway.core.errors import Reason, UpstreamError

Whole = Callable[[dict[str, Any]], object]
"""Makes litellm's response of an answer's JSON, for events.Decoder."""

Piece = Callable[[dict[str, Any]], object]
"""Makes litellm's chunk, or None, of one JSON value of a stream; it may hold state."""


class Ask(msgspec.Struct, frozen=True):
    """What is asked: `arguments` are OpenAI's (without the model), `account` the parameters of the
    provider's configuration, `timeout_s` the bound that litellm is told of."""

    model: str
    provider: str
    account: Mapping[str, object]
    arguments: Mapping[str, object]
    timeout_s: float

    @property
    def streaming(self) -> bool:
        """Whether a stream is asked for."""
        return self.arguments.get("stream") is True


class Prepared(msgspec.Struct, frozen=True):
    """A request as litellm would send it, and what reads its answer: `whole` a whole one, `plain`
    each value of a stream first (see plain), `piece` those that are more."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    whole: Whole
    plain: Piece
    piece: Piece


def unread(value: dict[str, Any]) -> object:
    """The reader of what was not asked for.

    Raises:
        UpstreamError: always.
    """
    raise UpstreamError(
        Reason.UPSTREAM_INVALID_RESPONSE, "The provider's answer is not of the kind asked for."
    )
