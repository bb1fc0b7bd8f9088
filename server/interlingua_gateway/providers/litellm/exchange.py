"""The state of one attempt that the transport under litellm and the provider above it share."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from interlingua_gateway.core.call import Attempt, Phase
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.providers.litellm.failure import Refusal
from interlingua_gateway.providers.litellm.marks import Marks
from interlingua_gateway.providers.transport.messages import HttpResponse, Transport


class Exchange:
    """One attempt on the wire: what goes out beside litellm's request, and what truly came back.

    `options` are merged into the JSON body; `fault` is the first thing that went wrong on the
    wire, and `refusal` the last answer with an error status. Both outrank what litellm raises.
    """

    __slots__ = (
        "attempt",
        "fault",
        "marks",
        "options",
        "refusal",
        "responses",
        "transport",
        "watched",
    )

    def __init__(self, transport: Transport, attempt: Attempt, *, watched: bool) -> None:
        self.transport = transport
        self.attempt = attempt
        self.options: Mapping[str, object] = {}
        self.watched = watched
        self.marks = Marks()
        self.fault: GatewayError | None = None
        self.refusal: Refusal | None = None
        self.responses: list[HttpResponse] = []

    @property
    def sent(self) -> bool:
        """Whether a request has gone out."""
        return self.attempt.phase is not Phase.CONNECT

    def fail(self, fault: GatewayError) -> GatewayError:
        """Note `fault` as what went wrong, unless something did before; return what did."""
        if self.fault is None:
            self.fault = fault
        return self.fault

    def finish(self) -> None:
        """The answer was whole: keep the connections for others."""
        while self.responses:
            self.responses.pop().finish()

    def close(self) -> None:
        """End every upstream response at once."""
        while self.responses:
            self.responses.pop().close()


CURRENT: ContextVar[Exchange] = ContextVar("interlingua_litellm_exchange")
"""The exchange of the attempt that runs in this task; litellm's transport finds it here."""
