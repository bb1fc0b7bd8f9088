"""Configuration to objects: the only wiring of the gateway."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, MutableMapping
from importlib.metadata import version
from typing import TypeAlias

from interlingua_gateway.app.answers import AnswerPolicies
from interlingua_gateway.app.budgets import BudgetPolicies, budget_secrets
from interlingua_gateway.app.database import Databases, database_secrets
from interlingua_gateway.app.feedback import Box, LazyInsights, Processing, processors
from interlingua_gateway.app.identity import Identities, auth_secrets
from interlingua_gateway.app.ledger import LedgerPolicies
from interlingua_gateway.app.limits import LimitPolicies
from interlingua_gateway.app.models import Catalogue
from interlingua_gateway.app.providers import ProviderFactory, secrets_of
from interlingua_gateway.app.reports import LazyReports
from interlingua_gateway.app.routing import Routing
from interlingua_gateway.app.stack import policies, stack
from interlingua_gateway.app.stores import Stores, store_secrets
from interlingua_gateway.config.defaults import row_of
from interlingua_gateway.config.reach import is_local
from interlingua_gateway.config.tree import Config, ServerConfig
from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.litellm import LiteLLMProvider
from interlingua_gateway.providers.local.provider import LocalProvider
from interlingua_gateway.providers.local.supervisor import Failed, LocalModel, Ready
from interlingua_gateway.providers.price_map import load as load_prices
from interlingua_gateway.route.listing import Listing, Source
from interlingua_gateway.telemetry.logs import set_up
from interlingua_gateway.telemetry.metrics import Metrics
from interlingua_gateway.telemetry.upstream import UpstreamMetrics
from interlingua_gateway.wire.grpc.admin import AdminMethods
from interlingua_gateway.wire.grpc.admin_budgets import BudgetMethods
from interlingua_gateway.wire.grpc.admin_keys import KeyMethods
from interlingua_gateway.wire.grpc.admin_tenants import TenantMethods
from interlingua_gateway.wire.grpc.feedback import FeedbackMethods
from interlingua_gateway.wire.grpc.front import CODE_NAMES, Front, FrontOptions
from interlingua_gateway.wire.grpc.gateway import GatewayMethods, GatewayOptions
from interlingua_gateway.wire.grpc.models import Installation, ModelMethods
from interlingua_gateway.wire.grpc.server import GrpcServer, ServerOptions
from interlingua_gateway.wire.grpc.tls import TlsFiles
from interlingua_gateway.wire.grpc.usage import UsageMethods
from interlingua_gateway.wire.http.probes import HttpServer, Probes

OnEvent: TypeAlias = Callable[[str, Mapping[str, str]], None]

DISTRIBUTION = "interlingua-gateway"


class Gateway:
    """Everything that one process runs. `ready` is what /readyz says."""

    def __init__(
        self,
        grpc: GrpcServer,
        http: HttpServer | None,
        providers: Mapping[str, Provider],
        stores: Stores,
        databases: Databases,
        ledger: LedgerPolicies,
        limits: LimitPolicies,
        answers: AnswerPolicies,
        budgets: BudgetPolicies,
        listing: Listing,
        routing: Routing,
        identities: Identities,
        processing: Processing,
        clock: Clock,
    ) -> None:
        self.grpc = grpc
        self.http = http
        self.providers = providers
        self.stores = stores
        self.databases = databases
        self.ledger = ledger
        self.limits = limits
        self.answers = answers
        self.budgets = budgets
        self.listing = listing
        self.routing = routing
        self.identities = identities
        self.processing = processing
        self.tasks = Tasks()
        self.ready = False
        self._clock = clock

    def start_models(self, on_event: OnEvent) -> None:
        """Start what takes long: the embedded models, litellm where it is needed, the lists of
        models that providers offer, health checks, and the copy of keys and tenants."""
        self.ledger.start()
        self.identities.start()
        self.budgets.start()
        self.listing.start(self.tasks)
        self.routing.start_checks(self.providers, self.tasks)
        for name, provider in self.providers.items():
            if isinstance(provider, LocalProvider):
                provider.model.start()
                self.tasks.start(self._tell(name, provider.model, on_event), f"tell-{name}")
            elif isinstance(provider, LiteLLMProvider):
                self.tasks.start(provider.preload(), f"preload-{name}")

    async def prepared(self) -> None:
        """Wait until keys, tenants and what was spent are known, and each embedded model answers or
        has failed for good."""
        await self.identities.loaded()
        await self.budgets.known()
        for provider in self.providers.values():
            if isinstance(provider, LocalProvider):
                while not isinstance(provider.model.state, Ready | Failed):
                    await provider.model.next_state()

    async def _tell(self, name: str, model: LocalModel, on_event: OnEvent) -> None:
        """Report each change of an embedded model's state."""
        began = self._clock.monotonic()
        on_event("loading", {"model": name})
        while True:
            state = await model.next_state()
            if isinstance(state, Ready):
                seconds = self._clock.monotonic() - began
                on_event("loaded", {"model": name, "seconds": f"{seconds:.1f}"})
            elif isinstance(state, Failed):
                on_event("failed", {"model": name, "reason": state.reason})
            else:
                began = self._clock.monotonic()
                on_event("loading", {"model": name, "after": state.after})

    async def aclose(self) -> None:
        """End everything that still runs."""
        await self.tasks.aclose()
        if self.http is not None:
            await self.http.stop()
        await self.grpc.stop(0)
        await self.identities.aclose()
        await self.processing.aclose()
        await self.limits.aclose()
        await self.answers.tasks.aclose()
        await self.budgets.aclose()
        await self.stores.aclose()
        await self.ledger.aclose()
        await self.databases.aclose()
        for provider in self.providers.values():
            await provider.aclose()


def build(config: Config, clock: Clock, environment: MutableMapping[str, str]) -> Gateway:
    """The gateway of `config`; nothing listens or runs yet. Needs a running event loop.

    Raises:
        InternalError: the configuration cannot be used; the message says why.
    """
    redact = Redactor(_secrets(config))
    set_up(config.telemetry.log_level, config.telemetry.log_format, redact)
    factory = ProviderFactory(redact, clock, environment)
    providers = {name: factory.make(name, entry) for name, entry in config.providers.items()}
    catalogue = Catalogue(config, load_prices())
    metrics = Metrics(CODE_NAMES.values())
    routing = Routing(
        config.routing, catalogue, _obstacles(providers), UpstreamMetrics(metrics), clock
    )
    metrics.build.labels(version(DISTRIBUTION)).set(1)
    stores = Stores(config, clock)
    _show_redis(stores, metrics)
    answers = AnswerPolicies(
        config, {model.name: model for model in catalogue.models}, stores.blobs, clock
    )
    limits = LimitPolicies(config, stores.counters, catalogue.targets, metrics, clock)
    databases = Databases(config)
    identities = Identities(config, databases, clock)
    ledger = LedgerPolicies(config, databases, metrics, redact, clock)
    budgets = BudgetPolicies(config, stores, databases, routing.planner.prospect, metrics, clock)
    dispatch = routing.dispatch(limits.around(providers), stores.blobs)
    front = Front(_front_options(config.server), identities.authenticate, metrics, redact, clock)
    gateway = GatewayMethods(
        stack(
            policies(metrics, clock, identities.permit, ledger, limits, answers, budgets), dispatch
        ),
        GatewayOptions(
            max_request_bytes=config.server.max_receive_message_bytes,
            batch_concurrency=config.server.batch_concurrency,
        ),
        front.failure,
        clock,
    )
    installation = Installation(
        version(DISTRIBUTION), digest(config), clock.time(), tuple(providers)
    )
    listing = Listing(routing.directory, _sources(config, providers), clock, catalogue.complete)
    models = ModelMethods(
        listing, routing.vitals, limits.board, installation, identities.names, clock
    )
    processing = Processing(processors(config.feedback.processors))
    admin = _admin(config, stores, answers)
    keys, tenants = KeyMethods(identities.office), TenantMethods(identities.office)
    grpc = GrpcServer(
        _server_options(config.server),
        front,
        gateway,
        models,
        admin,
        keys,
        tenants,
        BudgetMethods(budgets.board),
        UsageMethods(LazyReports(databases, ledger.settled, clock), clock),
        FeedbackMethods(
            Box(ledger.journal, processing, ledger.mask),
            LazyInsights(databases, ledger.settled),
            clock,
        ),
    )
    built = Gateway(
        grpc,
        None,
        providers,
        stores,
        databases,
        ledger,
        limits,
        answers,
        budgets,
        listing,
        routing,
        identities,
        processing,
        clock,
    )
    if config.http.listen is not None:
        probes = Probes(metrics.registry, lambda: built.ready)
        built.http = HttpServer(probes, config.http.listen)
    return built


def _secrets(config: Config) -> tuple[str, ...]:
    return (
        *secrets_of(config.providers),
        *store_secrets(config),
        *database_secrets(config),
        *auth_secrets(config),
        *budget_secrets(config),
    )


def _admin(config: Config, stores: Stores, answers: AnswerPolicies) -> AdminMethods:
    return AdminMethods(
        stores.blobs,
        answers.fingerprints.of_request,
        max_request_bytes=config.server.max_receive_message_bytes,
    )


def _show_redis(stores: Stores, metrics: Metrics) -> None:
    if stores.link is not None:
        metrics.redis_up.set(1)
        stores.link.watch(metrics.redis_up.set)


def _sources(config: Config, providers: Mapping[str, Provider]) -> Mapping[str, Source]:
    found: dict[str, Source] = {}
    for name, entry in config.providers.items():
        if entry.models_refresh_s is not None:
            row = row_of(name, entry.kind)
            prefix = row.prefix if row is not None else ""
            found[name] = Source(providers[name], entry.models_refresh_s, prefix)
    return found


def digest(config: Config) -> str:
    """Twelve hexadecimal digits that are equal for equal configurations; secrets are not in it."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:12]


def _obstacles(providers: Mapping[str, Provider]) -> Mapping[str, Callable[[], str]]:
    return {
        name: provider.obstacle
        for name, provider in providers.items()
        if isinstance(provider, LocalProvider)
    }


def _front_options(server: ServerConfig) -> FrontOptions:
    return FrontOptions(
        max_concurrent_calls=server.max_concurrent_calls,
        default_deadline_s=server.default_deadline_s,
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
