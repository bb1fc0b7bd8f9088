"""A gateway that was built: an engine with its fronts."""

from __future__ import annotations

from interlingua_gateway.app.engine import Engine
from interlingua_gateway.app.parts import Parts
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.wire.grpc.server import GrpcServer
from interlingua_gateway.wire.http.probes import HttpServer


class Gateway(Engine):
    """Everything that one process runs. `ready` is what /readyz says."""

    def __init__(self, grpc: GrpcServer, parts: Parts, clock: Clock) -> None:
        super().__init__(parts, clock)
        self.grpc = grpc
        self.http: HttpServer | None = None
        self.ready = False

    async def aclose(self) -> None:
        """End everything that still runs."""
        await self.tasks.aclose()
        if self.http is not None:
            await self.http.stop()
        await self.grpc.stop(0)
        await super().aclose()
