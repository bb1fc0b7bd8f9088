"""A gateway that was built: an engine with its fronts."""

from __future__ import annotations

from collections.abc import Awaitable

from interlingua_gateway.app.engine import Engine, OnEvent
from interlingua_gateway.app.lasting import Lasting
from interlingua_gateway.app.parts import Parts
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.reload import Reload
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.wire.grpc.server import GrpcServer
from interlingua_gateway.wire.http.probes import HttpServer


class Gateway(Engine):
    """Everything that one process runs. `ready` says that it has started and does not end yet,
    `draining` that it is about to stop."""

    grpc: GrpcServer
    reload: Reload

    def __init__(self, parts: Parts, lasting: Lasting, clock: Clock) -> None:
        super().__init__(parts, lasting, clock)
        self.http: HttpServer | None = None
        self.ready = False
        self.draining = False

    def handle(self, call: Call) -> Awaitable[Reply]:
        """The handler that is in force; see core.call.Handler."""
        return self.parts.handle(call)

    def swap(self, parts: Parts) -> None:
        """Put `parts` in force; a call that runs may take as long as at a drain."""
        self.replace(parts, parts.config.server.drain.longest_generation_s)

    @property
    def welcoming(self) -> bool:
        """Whether load balancers should send calls here: what /readyz says."""
        return self.ready and not self.ledger.full

    def start_models(self, on_event: OnEvent) -> None:
        """See Engine; and health follows from now on what can be recorded."""
        super().start_models(on_event)
        self.ledger.on_turn(self._turned)

    def _turned(self) -> None:
        self.tasks.start(self._tell_health(), "health")

    async def _tell_health(self) -> None:
        await self.grpc.health.recording(possible=not self.ledger.full)

    async def aclose(self) -> None:
        """End everything that still runs."""
        self.ledger.on_turn(lambda: None)
        await self.tasks.aclose()
        if self.http is not None:
            await self.http.stop()
        await self.grpc.stop(0)
        await super().aclose()
