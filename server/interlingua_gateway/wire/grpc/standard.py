"""The services that every gRPC server offers beside its own: health, reflection, channelz."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import grpc
from grpc_channelz.v1 import channelz, channelz_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

HEALTH_SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


class Generic:
    """What generated code sees of a server: it adds its methods by name alone.

    Generated code registers each method with gRPC core as well. For every call, to whatever method,
    a grpc.aio server then waits on one future for each registered method of any service.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Serve the methods of `handlers`."""
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[object, object]]
    ) -> None:
        """Do nothing: the same methods were added by name."""


def add_standard_services(
    server: grpc.aio.Server,
    checks: health.aio.HealthServicer,
    services: Sequence[str],
    *,
    with_reflection: bool,
    with_channelz: bool,
) -> None:
    """Serve health by `checks`, and, where wanted, reflection over `services` and channelz."""
    generic = cast("grpc.aio.Server", Generic(server))
    health_pb2_grpc.add_HealthServicer_to_server(checks, generic)
    if with_reflection:
        names = [*services, HEALTH_SERVICE, reflection.SERVICE_NAME]
        reflector = reflection.aio.ReflectionServicer(names)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(  # type: ignore[no-untyped-call]
            reflector, generic
        )
    if with_channelz:
        channelz_pb2_grpc.add_ChannelzServicer_to_server(channelz.aio.ChannelzServicer(), generic)
