"""What a provider's dialect is: requests out, bytes in, events out; it does no input or output."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.events import AnswerEvent, TokenCount
from interlingua_gateway.providers.transport.messages import HttpRequest, Origin, split_url

Header: TypeAlias = Callable[[str], str]
"""The value of a response header by its lower-case name; empty if there is none."""

Counting: TypeAlias = Generator[HttpRequest, bytes, TokenCount]
"""Yields requests, is sent the body of each answer, returns the count."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where an upstream answers and what proves who asks; `path` has no closing slash."""

    origin: Origin
    path: str
    headers: tuple[tuple[str, str], ...] = ()


def endpoint_of(base_url: str, headers: Mapping[str, str] | None = None) -> Endpoint:
    """The endpoint of a base URL such as `https://api.openai.com/v1`.

    Raises:
        ValueError: not an absolute http or https URL without query and credentials.
    """
    origin, path = split_url(base_url)
    return Endpoint(origin, path, tuple((headers or {}).items()))


class Whole(msgspec.Struct, frozen=True):
    """A whole answer: all its events, and what the upstream called itself and the answer."""

    events: Sequence[AnswerEvent]
    upstream_model: str = ""
    upstream_id: str = ""


class Decoder(Protocol):
    """Turns the bytes of one streamed answer into events."""

    @property
    def upstream_model(self) -> str:
        """What the upstream called the model, or empty."""
        ...

    @property
    def upstream_id(self) -> str:
        """What the upstream called the answer, or empty."""
        ...

    @property
    def done(self) -> bool:
        """The dialect's own end mark has come; the bytes after it say nothing."""
        ...

    def feed(self, data: bytes) -> list[AnswerEvent]:
        """The events that `data` completes; may be none.

        Raises:
            UpstreamError: the bytes are no answer, or tell of a failure.
            CallerError: they tell that the request is at fault.
        """
        ...

    def end(self) -> list[AnswerEvent]:
        """The events that only the end of the bytes completes.

        Raises:
            UpstreamError: the bytes end before the answer does.
        """
        ...


class Dialect(Protocol):
    """How one kind of upstream speaks."""

    def request(self, attempt: Attempt) -> HttpRequest:
        """The request for a generation (streamed if the attempt is) or embeddings.

        Raises:
            CallerError: a parameter cannot be honoured.
        """
        ...

    def whole(self, attempt: Attempt, body: bytes) -> Whole:
        """The answer in a whole body.

        Raises:
            UpstreamError: it is no answer, or tells of a failure.
            CallerError: it tells that the request is at fault.
        """
        ...

    def decoder(self, attempt: Attempt) -> Decoder:
        """A decoder for one streamed answer to `attempt`."""
        ...

    def failure(
        self, attempt: Attempt | None, status: int, header: Header, body: bytes
    ) -> GatewayError:
        """What a response other than 200 means, by its status and machine-readable fields."""
        ...

    def count(self, attempt: Attempt) -> Counting | TokenCount:
        """The input tokens of a CountRequest, or the steps that count them."""
        ...

    def models_request(self) -> HttpRequest | None:
        """The request for the list of models, or None if the upstream has no such list."""
        ...

    def models(self, body: bytes) -> Sequence[str]:
        """The names in the answer to `models_request`.

        Raises:
            UpstreamError: it is no such list.
        """
        ...
