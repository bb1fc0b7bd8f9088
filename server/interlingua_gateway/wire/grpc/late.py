"""Services for people who look for something, imported when somebody first calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final

import grpc

REFLECTION: Final = "grpc.reflection.v1alpha.ServerReflection"
CHANNELZ: Final = "grpc.channelz.v1.Channelz"

Add = Callable[[object], None]
"""Adds a service to what generated code takes for a server."""


class Late(grpc.GenericRpcHandler):
    """The service `name`; `add` makes it, in some 15 ms, at the first call to it."""

    def __init__(self, name: str, add: Add) -> None:
        self._prefix = f"/{name}/"
        self._add = add
        self._made: tuple[grpc.GenericRpcHandler, ...] = ()

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[object, object] | None:
        """The method that is called, where it is one of this service."""
        if not handler_call_details.method.startswith(self._prefix):
            return None
        if not self._made:
            self._add(self)
        return self._made[0].service(handler_call_details)

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Called by generated code, as of a server."""
        self._made = tuple(handlers)

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[object, object]]
    ) -> None:
        """Called by generated code too; the methods are known by their names already."""


def reflection(services: Sequence[str]) -> Late:
    """gRPC reflection over `services` and itself, which grpcurl and buf curl use."""

    def add(server: object) -> None:
        servicer = import_module("grpc_reflection.v1alpha.reflection").aio.ReflectionServicer
        generated = import_module("grpc_reflection.v1alpha.reflection_pb2_grpc")
        names = (*services, REFLECTION)
        generated.add_ServerReflectionServicer_to_server(servicer(names), server)

    return Late(REFLECTION, add)


def channelz() -> Late:
    """What gRPC core knows of its connections."""

    def add(server: object) -> None:
        servicer = import_module("grpc_channelz.v1.channelz").aio.ChannelzServicer
        generated = import_module("grpc_channelz.v1.channelz_pb2_grpc")
        generated.add_ChannelzServicer_to_server(servicer(), server)

    return Late(CHANNELZ, add)
