"""Makes the providers of a configuration."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, MutableMapping
from functools import cache
from pathlib import Path

from interlingua_gateway.config.deployments import LocalConfig, ProviderConfig
from interlingua_gateway.config.secret import Secret
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.ports import Provider
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.accounts import dialect_of
from interlingua_gateway.providers.http import HttpProvider
from interlingua_gateway.providers.litellm import LiteLLMProvider
from interlingua_gateway.providers.local.provider import LocalProvider
from interlingua_gateway.providers.local.supervisor import LocalModel, LocalSettings
from interlingua_gateway.providers.registry import BY_NAME
from interlingua_gateway.providers.script import scripts_of
from interlingua_gateway.providers.scripted import ScriptedProvider
from interlingua_gateway.providers.transport.client import HttpClient, PoolLimits
from interlingua_gateway.providers.transport.connect import proxy_of
from interlingua_gateway.providers.transport.tls import client_tls


class ProviderFactory:
    """Makes one provider after the other; `environment` is for litellm's own switches."""

    def __init__(
        self, redactor: Redactor, clock: Clock, environment: MutableMapping[str, str]
    ) -> None:
        self._redactor = redactor
        self._clock = clock
        self._environment = environment
        self._system_tls = cache(client_tls)

    def make(self, name: str, config: ProviderConfig) -> Provider:
        """The provider `name`.

        Raises:
            InternalError: the configuration cannot be used; the message says why.
        """
        if config.kind == "local":
            return self._local(name, config)
        if config.kind == "scripted":
            return ScriptedProvider(name, clock=self._clock, scripts=scripts_of(config.script))
        if config.kind == "litellm":
            return self._litellm(name, config)
        return self._native(name, config)

    def _native(self, name: str, config: ProviderConfig) -> Provider:
        dialect = dialect_of(
            BY_NAME[config.kind],
            redactor=self._redactor,
            clock=self._clock,
            base_url=config.base_url or "",
            api_key=_text(config.api_key),
            api_version=config.api_version or "",
            headers=_headers(config),
        )
        return HttpProvider(
            name,
            dialect,
            self._transport(name, config),
            redactor=self._redactor,
            max_body_bytes=config.max_response_bytes,
        )

    def _litellm(self, name: str, config: ProviderConfig) -> Provider:
        params: dict[str, object] = {
            "api_key": _text(config.api_key) or None,
            "api_base": config.base_url,
            "api_version": config.api_version,
            "organization": config.organization,
            "extra_headers": _headers(config) or None,
        }
        params = {key: value for key, value in params.items() if value is not None}
        return LiteLLMProvider(
            name,
            params=params | {key: _plain(value) for key, value in config.params.items()},
            redactor=self._redactor,
            clock=self._clock,
            environment=self._environment,
            transport=self._transport(name, config),
        )

    def _transport(self, name: str, config: ProviderConfig) -> HttpClient:
        try:
            proxy = proxy_of(config.proxy) if config.proxy else None
        except ValueError as error:
            raise InternalError(f"providers.{name}.proxy: {error}") from error
        try:
            tls = self._tls(config)
        except OSError as error:
            raise InternalError(f"Cannot read the certificates in {config.ca_file}.") from error
        return HttpClient(clock=self._clock, limits=_limits(config), tls=tls, proxy=proxy)

    def _tls(self, config: ProviderConfig) -> ssl.SSLContext | None:
        """The context for `https`: one for all who trust the authorities of the system, for to read
        those takes 20 ms and 1 MB; None where nothing is called by that."""
        plain = (config.base_url or "").startswith("http:") and config.proxy is None
        if plain and config.kind != "litellm":
            return None
        # A file may have changed since it was read for another provider.
        return client_tls(str(config.ca_file)) if config.ca_file else self._system_tls()

    def _local(self, name: str, config: ProviderConfig) -> Provider:
        model = LocalModel(_local_settings(config.local), self._clock)
        return LocalProvider(name, model, _limits(config), self._redactor, self._clock)


def secrets_of(providers: Mapping[str, ProviderConfig]) -> tuple[str, ...]:
    """Every secret in the configuration of `providers`, for the redactor."""
    found: list[str] = []
    for config in providers.values():
        values = [config.api_key, *config.headers.values(), *_leaves(config.params)]
        found.extend(value.reveal() for value in values if isinstance(value, Secret))
    return tuple(found)


def _leaves(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list | tuple):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]


def _plain(value: object) -> object:
    """`value` with its secrets revealed."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _text(value: Secret | str | None) -> str:
    return value.reveal() if isinstance(value, Secret) else value or ""


def _headers(config: ProviderConfig) -> dict[str, str]:
    headers = {name: _text(value) for name, value in config.headers.items()}
    if config.kind != "litellm" and config.organization:
        headers["openai-organization"] = config.organization
    if config.kind != "litellm" and config.project:
        headers["openai-project"] = config.project
    return headers


def _limits(config: ProviderConfig) -> PoolLimits:
    return PoolLimits(max_connections=config.max_connections, max_idle_s=config.max_idle_s)


def _local_settings(config: LocalConfig) -> LocalSettings:
    return LocalSettings(
        weights=Path(config.model_path) if config.model_path else None,
        streams=config.parallel,
        context_tokens=config.context_tokens,
        embedding_tokens=config.embedding_tokens,
        max_output_tokens=config.max_output_tokens,
        threads=config.threads,
        start_timeout_s=config.start_timeout_s,
    )
