"""Configuration to objects: the only wiring of the gateway."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib.metadata import version

from interlingua_gateway.app.digests import configuration_digest
from interlingua_gateway.app.feedback import Box, LazyInsights
from interlingua_gateway.app.gateway import Gateway
from interlingua_gateway.app.identity import Door
from interlingua_gateway.app.lasting import Lasting, secrets_in
from interlingua_gateway.app.parts import Parts
from interlingua_gateway.app.reload import Read, Reloading
from interlingua_gateway.app.reports import LazyReports
from interlingua_gateway.config.reach import is_local
from interlingua_gateway.config.tree import Config, ServerConfig
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.telemetry.logs import set_up
from interlingua_gateway.telemetry.metrics import Metrics
from interlingua_gateway.wire.grpc.admin import AdminMethods
from interlingua_gateway.wire.grpc.admin_budgets import BudgetMethods
from interlingua_gateway.wire.grpc.admin_keys import KeyMethods
from interlingua_gateway.wire.grpc.admin_tenants import TenantMethods
from interlingua_gateway.wire.grpc.feedback import FeedbackMethods
from interlingua_gateway.wire.grpc.front import CODE_NAMES, Front, FrontOptions
from interlingua_gateway.wire.grpc.gateway import GatewayMethods, GatewayOptions
from interlingua_gateway.wire.grpc.models import Installation, ModelMethods, Served
from interlingua_gateway.wire.grpc.server import GrpcServer, ServerOptions
from interlingua_gateway.wire.grpc.tls import TlsFiles
from interlingua_gateway.wire.grpc.usage import UsageMethods
from interlingua_gateway.wire.http.probes import HttpServer, Probes

DISTRIBUTION = "interlingua-gateway"


def build(
    config: Config,
    clock: Clock,
    environment: MutableMapping[str, str],
    read: Read | None = None,
) -> Gateway:
    """The gateway of `config`; nothing listens or runs yet. Needs a running event loop.

    `read` reads the configuration again; without it the gateway keeps the one it has.

    Raises:
        InternalError: the configuration cannot be used; the message says why.
    """
    redact = Redactor(secrets_in(config))
    set_up(config.telemetry.log_level, config.telemetry.log_format, redact)
    metrics = Metrics(CODE_NAMES.values())
    metrics.build.labels(version(DISTRIBUTION)).set(1)
    lasting = Lasting(config, environment, redact, metrics, clock)
    built = Gateway(Parts(config, lasting), lasting, clock)
    started_at_s = clock.time()
    models = ModelMethods(_served(built.parts, started_at_s), clock)

    def show(parts: Parts) -> None:
        models.served = _served(parts, started_at_s)

    built.reload = Reloading(built, read or (lambda: config), show, clock)
    built.grpc = _grpc(config, built, models, clock)
    if config.http.listen is not None:
        probes = Probes(metrics.registry, lambda: built.welcoming)
        built.http = HttpServer(probes, config.http.listen)
    return built


def _grpc(config: Config, built: Gateway, models: ModelMethods, clock: Clock) -> GrpcServer:
    lasting, office = built.lasting, built.identities.office
    databases, ledger = built.databases, built.ledger
    options, door = _front_options(config.server), Door(lambda: built.parts.callers)
    front = Front(options, door, lasting.metrics, lasting.redact, clock)
    return GrpcServer(
        _server_options(config.server),
        front,
        GatewayMethods(built.handle, _gateway_options(config.server), front.failure, clock),
        models,
        AdminMethods(
            built.stores.blobs,
            Fingerprints().of_request,
            built.reload,
            max_request_bytes=config.server.max_receive_message_bytes,
        ),
        KeyMethods(office),
        TenantMethods(office),
        BudgetMethods(built.budgets.board),
        UsageMethods(LazyReports(databases, ledger.settled, clock), clock),
        FeedbackMethods(
            Box(ledger.journal, built.processing, ledger.mask),
            LazyInsights(databases, ledger.settled),
            clock,
        ),
    )


def _served(parts: Parts, started_at_s: float) -> Served:
    """What ModelService and Health tell of `parts`."""
    return Served(
        directory=parts.listing,
        board=parts.routing.vitals,
        limits=parts.limits.board,
        installation=Installation(
            version(DISTRIBUTION),
            configuration_digest(parts.config),
            started_at_s,
            tuple(parts.providers),
        ),
        names=parts.callers.names,
    )


def _front_options(server: ServerConfig) -> FrontOptions:
    return FrontOptions(
        max_concurrent_calls=server.max_concurrent_calls,
        default_deadline_s=server.default_deadline_s,
    )


def _gateway_options(server: ServerConfig) -> GatewayOptions:
    return GatewayOptions(
        max_request_bytes=server.max_receive_message_bytes,
        batch_concurrency=server.batch_concurrency,
    )


def _server_options(server: ServerConfig) -> ServerOptions:
    keepalive, tls = server.keepalive, server.tls
    return ServerOptions(
        listen=server.listen,
        tls=None
        if tls is None
        else TlsFiles(
            certificate=tls.certificate_file,
            key=tls.key_file,
            client_ca=tls.client_ca_file,
            require_client=tls.require_client_certificate,
        ),
        max_receive_message_bytes=server.max_receive_message_bytes,
        max_send_message_bytes=server.max_send_message_bytes,
        max_concurrent_streams=server.max_concurrent_streams,
        keepalive_time_s=keepalive.time_s,
        keepalive_timeout_s=keepalive.timeout_s,
        keepalive_permit_without_calls=keepalive.permit_without_calls,
        min_ping_interval_without_data_s=keepalive.min_ping_interval_without_data_s,
        max_ping_strikes=keepalive.max_ping_strikes,
        max_connection_idle_s=server.max_connection_idle_s,
        max_connection_age_s=server.max_connection_age_s,
        max_connection_age_grace_s=server.max_connection_age_grace_s,
        so_reuseport=server.so_reuseport,
        reflection=server.reflection,
        channelz=is_local(server.listen) if server.channelz is None else server.channelz,
    )
