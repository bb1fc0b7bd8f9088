"""Builds the gRPC server: options, listeners, credentials, business and standard services."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Final

import grpc
import msgspec
from google.protobuf.descriptor import ServiceDescriptor

from interlingua.v1 import (
    admin_service_pb2,
    feedback_service_pb2,
    gateway_service_pb2,
    model_service_pb2,
    usage_service_pb2,
)
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.identity import Scope
from interlingua_gateway.wire.grpc.admin import AdminMethods
from interlingua_gateway.wire.grpc.admin_budgets import BudgetMethods
from interlingua_gateway.wire.grpc.admin_keys import KeyMethods
from interlingua_gateway.wire.grpc.admin_tenants import TenantMethods
from interlingua_gateway.wire.grpc.exchange import StreamMethod, UnaryMethod
from interlingua_gateway.wire.grpc.feedback import FeedbackMethods
from interlingua_gateway.wire.grpc.front import Front
from interlingua_gateway.wire.grpc.gateway import GatewayMethods
from interlingua_gateway.wire.grpc.health import SERVICE as HEALTH_SERVICE
from interlingua_gateway.wire.grpc.health import Health
from interlingua_gateway.wire.grpc.late import channelz, reflection
from interlingua_gateway.wire.grpc.models import ModelMethods
from interlingua_gateway.wire.grpc.tls import TlsFiles, credentials
from interlingua_gateway.wire.grpc.usage import UsageMethods

SERVICES: Final = (
    gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"],
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"],
    usage_service_pb2.DESCRIPTOR.services_by_name["UsageService"],
    feedback_service_pb2.DESCRIPTOR.services_by_name["FeedbackService"],
    admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"],
)
ALWAYS_ADMITTED: Final = frozenset({"GatewayService.Health"})
"""What must answer above all when the gateway is overloaded or about to stop; and to everybody,
who without credentials learns nothing but whether the gateway serves."""

SCOPES: Final[Mapping[str, Scope]] = {
    "GatewayService": Scope.INFERENCE,
    "ModelService": Scope.INFERENCE,
    "UsageService": Scope.USAGE,
    "FeedbackService": Scope.FEEDBACK,
    "AdminService": Scope.ADMIN,
}
"""What each service needs."""

RECEIVE_SLACK: Final = 2
"""gRPC's own limit is this many times ours, so that a message a little too large gets a proper
answer; what is larger still is refused before it is read."""


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the transport; seconds and bytes. See docs/configuration.md."""

    listen: tuple[str, ...]
    tls: TlsFiles | None = None
    max_receive_message_bytes: int = 16 * 1024 * 1024
    max_send_message_bytes: int = 64 * 1024 * 1024
    max_concurrent_streams: int = 256
    keepalive_time_s: float = 60.0
    keepalive_timeout_s: float = 20.0
    keepalive_permit_without_calls: bool = True
    min_ping_interval_without_data_s: float = 5.0
    max_ping_strikes: int = 0
    max_connection_idle_s: float | None = 900.0
    max_connection_age_s: float | None = None
    max_connection_age_grace_s: float | None = None
    so_reuseport: bool = False
    reflection: bool = True
    channelz: bool = True


class GrpcServer:
    """The server with everything it serves; `addresses` is where it listens once it has started,
    and `health` what load balancers are told."""

    def __init__(
        self,
        options: ServerOptions,
        front: Front,
        gateway: GatewayMethods,
        models: ModelMethods,
        admin: AdminMethods,
        keys: KeyMethods,
        tenants: TenantMethods,
        budgets: BudgetMethods,
        usage: UsageMethods,
        feedback: FeedbackMethods,
    ) -> None:
        self.front = front
        self.addresses: tuple[str, ...] = ()
        self._options = options
        self._server = grpc.aio.server(options=channel_options(options))
        self.health = Health([service.full_name for service in SERVICES])
        unary: Mapping[str, UnaryMethod] = {
            "GatewayService.Generate": gateway.generate,
            "GatewayService.Embed": gateway.embed,
            "GatewayService.CountTokens": gateway.count_tokens,
            "GatewayService.Health": models.health,
            "ModelService.ListModels": models.list_models,
            "ModelService.GetModel": models.get_model,
            "UsageService.GetUsage": usage.get_usage,
            "UsageService.ListOperations": usage.list_operations,
            "UsageService.GetCostSummary": usage.get_cost_summary,
            "FeedbackService.RecordFeedback": feedback.record_feedback,
            "FeedbackService.GetInsights": feedback.get_insights,
            "AdminService.InvalidateCache": admin.invalidate_cache,
            "AdminService.ReloadConfig": admin.reload_config,
            "AdminService.CreateApiKey": keys.create_api_key,
            "AdminService.ListApiKeys": keys.list_api_keys,
            "AdminService.RotateApiKey": keys.rotate_api_key,
            "AdminService.RevokeApiKey": keys.revoke_api_key,
            "AdminService.PutTenant": tenants.put_tenant,
            "AdminService.ListTenants": tenants.list_tenants,
            "AdminService.DeleteTenant": tenants.delete_tenant,
            "AdminService.PutBudget": budgets.put_budget,
            "AdminService.ListBudgets": budgets.list_budgets,
            "AdminService.DeleteBudget": budgets.delete_budget,
        }
        streams: Mapping[str, StreamMethod] = {
            "GatewayService.StreamGenerate": gateway.stream_generate,
            "GatewayService.BatchGenerate": gateway.batch_generate,
        }
        for service in SERVICES:
            handlers = _handlers(service, front, unary, streams)
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service.full_name, handlers),)
            )
        self._add_standard_services()

    def _add_standard_services(self) -> None:
        self.health.add_to(self._server)
        names = [*(service.full_name for service in SERVICES), HEALTH_SERVICE]
        if self._options.reflection:
            self._server.add_generic_rpc_handlers((reflection(names),))
        if self._options.channelz:
            self._server.add_generic_rpc_handlers((channelz(),))

    async def start(self) -> None:
        """Listen and serve; health says NOT_SERVING until `serving` is called.

        Raises:
            InternalError: an address cannot be listened on.
        """
        await self.health.starting()
        self.addresses = tuple(self._bind(address) for address in self._options.listen)
        await self._server.start()

    def _bind(self, address: str) -> str:
        tls = None if address.startswith("unix:") else self._options.tls
        try:
            if address.startswith("unix:"):
                _refuse_a_used_path(address.removeprefix("unix:"))
            elif not self._options.so_reuseport:
                _try_to_bind(address)
            if tls is not None:
                port = self._server.add_secure_port(address, credentials(tls))
            else:
                port = self._server.add_insecure_port(address)
        except (OSError, RuntimeError) as error:
            causes = "it is in use or not an address of this machine"
            if tls is not None:
                causes += ", or the TLS files hold no certificate with its key"
            raise InternalError(f"Cannot listen on {address}: {causes}.") from error
        if address.startswith("unix:"):
            return address
        return f"{address.rpartition(':')[0]}:{port}"

    async def serving(self) -> None:
        """Tell health checks that calls are welcome."""
        await self.health.serving()

    async def not_serving(self) -> None:
        """Tell health checks to send calls elsewhere; calls are still served."""
        await self.health.draining()

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls and end; calls still open after `grace_s` are cut."""
        await self._server.stop(grace_s)


def _try_to_bind(address: str) -> None:
    """Bind `address` and let it go: gRPC core would write a failure to standard error itself.

    Raises:
        OSError: it is in use, or not an address of this machine.
    """
    host, _, port = address.rpartition(":")
    # As bytes: a text would be taken for an international name, which loads the tables of Unicode.
    name = host.strip("[]").encode()
    found = socket.getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
    for family, kind, protocol, _, resolved in found:
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(resolved)


def _refuse_a_used_path(path: str) -> None:
    """gRPC core replaces the socket at `path`, also one on which another gateway listens.

    Raises:
        InternalError: somebody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(path) == 0:
            raise InternalError(f"Cannot listen on unix:{path}: it is in use.")


def _handlers(
    service: ServiceDescriptor,
    front: Front,
    unary: Mapping[str, UnaryMethod],
    streams: Mapping[str, StreamMethod],
) -> dict[str, grpc.RpcMethodHandler[bytes, bytes]]:
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}
    scope = SCOPES[service.name]
    for method in service.methods:
        key = f"{service.name}.{method.name}"
        if method.server_streaming:
            handlers[method.name] = front.stream(
                service.full_name, method.name, streams[key], scope
            )
        else:
            free = key in ALWAYS_ADMITTED
            handlers[method.name] = front.unary(
                service.full_name,
                method.name,
                unary[key],
                None if free else scope,
                admission=not free,
            )
    return handlers


def channel_options(options: ServerOptions) -> Sequence[tuple[str, int]]:
    """The transport's options under gRPC core's names.

    Source: grpc/include/grpc/impl/channel_arg_names.h. The key for pings is the one without
    `recv`, which is the one that core reads.
    """
    found: list[tuple[str, int]] = [
        ("grpc.max_receive_message_length", options.max_receive_message_bytes * RECEIVE_SLACK),
        ("grpc.max_send_message_length", options.max_send_message_bytes),
        ("grpc.max_concurrent_streams", options.max_concurrent_streams),
        ("grpc.keepalive_time_ms", _ms(options.keepalive_time_s)),
        ("grpc.keepalive_timeout_ms", _ms(options.keepalive_timeout_s)),
        ("grpc.keepalive_permit_without_calls", int(options.keepalive_permit_without_calls)),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            _ms(options.min_ping_interval_without_data_s),
        ),
        ("grpc.http2.max_ping_strikes", options.max_ping_strikes),
        ("grpc.so_reuseport", int(options.so_reuseport)),
    ]
    for name, seconds in (
        ("grpc.max_connection_idle_ms", options.max_connection_idle_s),
        ("grpc.max_connection_age_ms", options.max_connection_age_s),
        ("grpc.max_connection_age_grace_ms", options.max_connection_age_grace_s),
    ):
        if seconds is not None:
            found.append((name, _ms(seconds)))
    return found


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
