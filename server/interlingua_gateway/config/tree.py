"""The configuration as one frozen tree; its defaults and descriptions are the reference manual."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from interlingua_gateway.config.answers import CacheConfig, RedisConfig
from interlingua_gateway.config.auth import AuthConfig
from interlingua_gateway.config.budgets import BudgetsConfig
from interlingua_gateway.config.database import DatabaseConfig
from interlingua_gateway.config.deployments import ModelConfig, ProviderConfig
from interlingua_gateway.config.feedback import FeedbackConfig
from interlingua_gateway.config.fields import (
    Addresses,
    ByName,
    Count,
    HostPort,
    LocatedPath,
    Seconds,
    SecondsOrZero,
)
from interlingua_gateway.config.ledger import LedgerConfig
from interlingua_gateway.config.limits import LimitsConfig
from interlingua_gateway.config.prices import PriceRuleConfig
from interlingua_gateway.config.routing import RoutingConfig
from interlingua_gateway.config.section import Section, absent

MEBIBYTE = 1024 * 1024


class TlsConfig(Section):
    """TLS of the TCP listeners. The files are read again when they change."""

    certificate_file: LocatedPath
    """PEM certificate chain, the server's own first."""
    key_file: LocatedPath
    """PEM private key of the certificate."""
    client_ca_file: LocatedPath | None = None
    """PEM certificates that sign the certificates of clients (mutual TLS)."""
    require_client_certificate: bool = False
    """Refuse clients without a certificate that client_ca_file signed; auth.certificates says who
    they are."""

    @field_validator("require_client_certificate")
    @classmethod
    def _needs_authority(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("client_ca_file") is None:
            raise ValueError("client_ca_file is needed to check the certificates of clients")
        return value


class KeepaliveConfig(Section):
    """HTTP/2 pings that find dead connections."""

    time_s: Seconds = 60
    """Seconds of silence after which the gateway pings a client."""
    timeout_s: Seconds = 20
    """Seconds to wait for the answer before the connection is closed."""
    permit_without_calls: bool = True
    """Ping, and let clients ping, while no call is open."""
    min_ping_interval_without_data_s: SecondsOrZero = 5
    """Shortest time in seconds between two pings of a client that sends no data."""
    max_ping_strikes: Annotated[int, Field(ge=0)] = 0
    """Pings above that rate before the client is sent away; 0 tolerates all."""


class DrainConfig(Section):
    """What happens between SIGTERM and the end. No call that was accepted is cut."""

    delay_s: SecondsOrZero = 5
    """Seconds to keep serving while load balancers notice NOT_SERVING. Ctrl-C (SIGINT) skips it."""
    longest_generation_s: SecondsOrZero = 600
    """Seconds to wait for open calls."""
    grace_s: SecondsOrZero = 2
    """Seconds that remaining connections get to close."""


class ServerConfig(Section):
    """The gRPC front."""

    listen: Addresses = ("127.0.0.1:50051",)
    """Addresses: host:port, or unix:/path. Port 0 lets the system choose."""
    tls: TlsConfig | None = None
    """TLS of the TCP listeners; without it they speak plain text."""
    max_receive_message_bytes: Count = 16 * MEBIBYTE
    """Largest request in bytes."""
    max_send_message_bytes: Count = 64 * MEBIBYTE
    """Largest response message in bytes."""
    max_concurrent_calls: Count = 1000
    """Calls served at once; more are refused with RESOURCE_EXHAUSTED. Health and reflection are
    exempt."""
    max_concurrent_streams: Count = 256
    """Calls at once on one connection (HTTP/2 streams)."""
    keepalive: KeepaliveConfig = Field(default_factory=absent)
    """HTTP/2 pings."""
    max_connection_idle_s: Seconds | None = 900
    """Seconds after which an idle connection is closed; null keeps it."""
    max_connection_age_s: Seconds | None = None
    """Seconds after which a connection is renewed, for balancers that count connections; null
    keeps it."""
    max_connection_age_grace_s: Seconds | None = None
    """Seconds that open calls get after max_connection_age_s; null waits for them. It must exceed
    drain.longest_generation_s, or streams are cut."""
    so_reuseport: bool = False
    """Let several processes listen on one port. Off, a second gateway fails to start there."""
    reflection: bool = True
    """Serve gRPC reflection, which grpcurl and buf curl use."""
    channelz: bool | None = None
    """Serve channelz, which shows open connections to everybody; null serves it where the gateway
    listens on this machine alone."""
    drain: DrainConfig = Field(default_factory=absent)
    """The end of the process."""
    batch_concurrency: Count = 8
    """Requests of one BatchGenerate that are served at once."""
    default_deadline_s: Seconds | None = 600
    """Deadline in seconds of calls that come without one; null leaves them unbounded."""


class HttpConfig(Section):
    """The HTTP front: /metrics (Prometheus), /healthz and /readyz."""

    listen: HostPort | None = "127.0.0.1:9464"
    """host:port, or null for none."""


class TelemetryConfig(Section):
    """What the gateway says of itself."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important log lines that are written."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """auto is console on a terminal and json elsewhere."""


class Config(Section):
    """The configuration of one gateway."""

    server: ServerConfig = Field(default_factory=absent)
    """The gRPC front."""
    http: HttpConfig = Field(default_factory=absent)
    """Metrics and probes."""
    telemetry: TelemetryConfig = Field(default_factory=absent)
    """Logs."""
    auth: AuthConfig = Field(default_factory=absent)
    """Who may call."""
    redis: RedisConfig | None = None
    """Redis, where several gateways share limits or answers."""
    database: DatabaseConfig = Field(default_factory=absent)
    """Where the ledger, keys and budgets are kept."""
    feedback: FeedbackConfig = Field(default_factory=absent)
    """What people think of answers."""
    ledger: LedgerConfig = Field(default_factory=absent)
    """What is recorded of calls."""
    cache: CacheConfig = Field(default_factory=absent)
    """Where answers are kept."""
    data_dir: LocatedPath = Path()
    """Directory of the gateway's state. By default `interlingua` in the user's data directory."""
    providers: ByName[ProviderConfig] = Field(default_factory=dict)
    """Accounts at upstreams, by a name of your choice. By default the embedded model, and each
    provider whose API key is in the environment."""
    models: tuple[ModelConfig, ...] = ()
    """Names that callers may use. By default `provider/*` for each provider, and `smollm2` for
    the embedded model."""
    prices: tuple[PriceRuleConfig, ...] = ()
    """Prices that go before litellm's list, for targets without a price of their own. The closest
    match holds."""
    routing: RoutingConfig = Field(default_factory=absent)
    """How calls find their way."""
    limits: LimitsConfig = Field(default_factory=absent)
    """Limits of requests, tokens and concurrent calls."""
    budgets: BudgetsConfig = Field(default_factory=absent)
    """How much money may be spent."""
