"""Where a gateway is and how to speak with it: TLS, credentials, timeouts, gRPC options."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias

import grpc

from interlingua.requests import CallOptions

ADDRESS_VARIABLE = "INTERLINGUA_ADDRESS"
DEFAULT_ADDRESS = "127.0.0.1:50051"

# Used where neither call nor client names a timeout. They do not stand in the service config,
# because gRPC takes the shorter of the two and nobody could then ask for more time.
TIMEOUTS_S: Mapping[str, float] = {
    "Generate": 600.0,
    "StreamGenerate": 600.0,
    "Embed": 120.0,
    "BatchGenerate": 3600.0,
    "CountTokens": 30.0,
    "ListModels": 15.0,
    "GetModel": 15.0,
    "Health": 15.0,
    "InvalidateCache": 60.0,
    "ReloadConfig": 120.0,
    "CreateApiKey": 30.0,
    "ListApiKeys": 30.0,
    "RotateApiKey": 30.0,
    "RevokeApiKey": 30.0,
    "PutTenant": 30.0,
    "ListTenants": 30.0,
    "DeleteTenant": 30.0,
    "PutBudget": 30.0,
    "ListBudgets": 30.0,
    "DeleteBudget": 30.0,
    "GetUsage": 60.0,
    "ListOperations": 60.0,
    "GetCostSummary": 60.0,
    "RecordFeedback": 15.0,
    "GetInsights": 60.0,
}

# A call is sent again only if it ended UNAVAILABLE before anything came back: gRPC never retries
# once response headers have arrived. The throttle stops retries after 500 failures, less one for
# every five successes. clients/service_config.json is the same for all languages.
SERVICE_CONFIG: Mapping[str, object] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "retryThrottling": {"maxTokens": 1000, "tokenRatio": 0.2},
    "methodConfig": [
        {
            "name": [
                {"service": "interlingua.v1.GatewayService"},
                {"service": "interlingua.v1.ModelService"},
            ],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}

_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_OPTIONS: Sequence[tuple[str, int | str]] = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.per_rpc_retry_buffer_size", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    # The gateway refuses pings that come more often than every 5 seconds.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.primary_user_agent", "interlingua-python"),
)
_LOOPBACK = ("127.", "localhost:", "[::1]:")


@dataclass(frozen=True, slots=True)
class TLS:
    """How to trust the gateway and, for mutual TLS, how to be trusted. All bytes are PEM.

    Without `root_certificates` gRPC's own roots count. `certificate_chain` and `private_key` come
    together. `server_name` is the name to find in the gateway's certificate if it is not the
    address's host.
    """

    root_certificates: bytes | None = None
    certificate_chain: bytes | None = None
    private_key: bytes | None = field(default=None, repr=False)
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate_chain is None) != (self.private_key is None):
            raise ValueError("certificate_chain and private_key come together")

    @classmethod
    def from_files(
        cls,
        root_certificates: str | Path | None = None,
        certificate_chain: str | Path | None = None,
        private_key: str | Path | None = None,
        server_name: str | None = None,
    ) -> Self:
        """The same from paths of PEM files. Raises OSError if one cannot be read."""
        return cls(
            root_certificates=_read(root_certificates),
            certificate_chain=_read(certificate_chain),
            private_key=_read(private_key),
            server_name=server_name,
        )


ApiKey: TypeAlias = str | Callable[[], str]
"""An API key, or a function that is asked for a token at every call."""


class Endpoint:
    """What a client was told about its gateway.

    Raises ValueError for a timeout that is not positive and for an API key that cannot stand in a
    header; the message does not hold the key.
    """

    __slots__ = ("_api_key", "_timeout_s", "_tls", "address")

    def __init__(
        self,
        address: str | None,
        api_key: ApiKey | None,
        tls: TLS | bool | None,
        timeout_s: float | None,
    ) -> None:
        self.address = address or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS
        self._tls = TLS() if tls is True else tls or None
        self._timeout_s = _positive(timeout_s)
        self._api_key = _header(api_key) if isinstance(api_key, str) else api_key

    @property
    def credentials(self) -> grpc.ChannelCredentials | None:
        """What the channel proves and asks; None for a connection without TLS."""
        if self._tls is None:
            return None
        return grpc.ssl_channel_credentials(
            root_certificates=self._tls.root_certificates,
            private_key=self._tls.private_key,
            certificate_chain=self._tls.certificate_chain,
        )

    @property
    def options(self) -> Sequence[tuple[str, int | str]]:
        """The options of the channel."""
        options = list(_OPTIONS)
        if self._tls is not None and self._tls.server_name is not None:
            options.append(("grpc.ssl_target_name_override", self._tls.server_name))
        if self.address.startswith(_LOOPBACK):
            options.append(("grpc.enable_http_proxy", 0))
        return options

    def timeout_s(self, method: str, options: CallOptions) -> float:
        """The time that a call of `method` may take, in seconds: the call's, client's or usual."""
        own = _positive(options.get("timeout_s"))
        return own or self._timeout_s or TIMEOUTS_S[method]

    def metadata(self, options: CallOptions) -> tuple[tuple[str, str | bytes], ...]:
        """The gRPC metadata of a call. Raises ValueError for a token that no header can hold."""
        traceparent = options.get("traceparent")
        trace = () if traceparent is None else (("traceparent", traceparent),)
        return (*self._authorization(), *trace, *(options.get("rpc_metadata") or ()))

    def _authorization(self) -> tuple[tuple[str, str], ...]:
        if self._api_key is None:
            return ()
        key = self._api_key if isinstance(self._api_key, str) else _header(self._api_key())
        return (("authorization", f"Bearer {key}"),)


def _header(api_key: str) -> str:
    if not (api_key.isascii() and api_key.isprintable()):
        raise ValueError("api_key holds a line break or another unprintable character")
    return api_key


def _positive(timeout_s: float | None) -> float | None:
    if timeout_s is not None and not timeout_s > 0:
        raise ValueError(f"timeout_s must be a positive number of seconds, not {timeout_s}")
    return timeout_s


def _read(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
