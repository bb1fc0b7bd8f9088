"""grpc.health.v1: what load balancers are told of each service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from interlingua.v1 import feedback_service_pb2, gateway_service_pb2

SERVICE: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
RECORDING: Final = frozenset(
    {
        "",
        gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"].full_name,
        feedback_service_pb2.DESCRIPTOR.services_by_name["FeedbackService"].full_name,
    }
)
"""Services whose calls are refused when nothing can be recorded, and the gateway as a whole."""


class Health:
    """NOT_SERVING until `serving`, and for good after `draining`."""

    def __init__(self, services: Sequence[str]) -> None:
        self._names = ("", *services)
        self._servicer = health.aio.HealthServicer()
        self._serves = False
        self._records = True

    def add_to(self, server: grpc.aio.Server) -> None:
        """Have `server` answer for it."""
        by_name = cast("grpc.aio.Server", _ByName(server))
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, by_name)

    async def starting(self) -> None:
        """Calls are not welcome yet."""
        await self._tell()

    async def serving(self) -> None:
        """Calls are welcome from now on."""
        self._serves = True
        await self._tell()

    async def recording(self, *, possible: bool) -> None:
        """Calls can be recorded from now on, or cannot and are refused."""
        self._records = possible
        await self._tell()

    async def draining(self) -> None:
        """Calls should go elsewhere."""
        await self._servicer.enter_graceful_shutdown()

    async def _tell(self) -> None:
        statuses = health_pb2.HealthCheckResponse
        for name in self._names:
            welcome = self._serves and (self._records or name not in RECORDING)
            await self._servicer.set(name, statuses.SERVING if welcome else statuses.NOT_SERVING)


class _ByName:
    """What generated code sees of a server: it adds its methods by name alone.

    Generated code registers each method with gRPC core as well. For every call, to whatever method,
    a grpc.aio server then waits on one future for each registered method of any service.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[object, object]]
    ) -> None:
        """Do nothing: the same methods were added by name."""
