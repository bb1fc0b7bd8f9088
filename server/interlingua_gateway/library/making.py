"""Gateways from the least that one must say, and configurations from what one has already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from interlingua_gateway.config.programmatic import (
    GatewayConfig,
    config_of_list,
    gateway_config,
)
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.library.gateway import Gateway


def create_gateway(
    providers: Sequence[str | Mapping[str, object]] | None = None,
    default_model: str | None = None,
    api_keys: Mapping[str, str] | None = None,
    *,
    timeout: float | None = None,
    data_dir: str | Path | None = None,
    config: Config | None = None,
) -> Gateway:
    """A running gateway of `providers`, in order of priority, or of a whole `config`.

    A provider is a name such as `openai`, `openai/gpt-4o` for one with a model of its own, or the
    mapping of its settings with its `name`. Keys that `api_keys` does not hold come from the
    environment. Without `providers` there are those whose keys are at hand, or else the embedded
    model. `default_model` answers calls that name no model; `timeout` in seconds bounds calls that
    set no bound; the ledger is kept in `data_dir`.

    Raises:
        CallerError: CREDENTIALS_MISSING naming provider and variable, or INVALID_REQUEST.
        InternalError: the gateway cannot start; the message says why.
    """
    if config is None:
        sections = _sections(timeout, data_dir)
        return Gateway(gateway_config(providers, default_model, api_keys or {}, sections))
    others = (providers, default_model, api_keys, timeout, data_dir)
    if any(other is not None for other in others):
        raise CallerError.of_field("config", "stands alone: it says everything")
    return Gateway(config)


def configure_gateway(
    model_list: Sequence[Mapping[str, object]],
    timeout: float | None = None,
    *,
    data_dir: str | Path | None = None,
) -> GatewayConfig:
    """The configuration of litellm's own model list, for `create_gateway(config=...)`.

    Entries of one `model_name` share its calls by their weights. `timeout` in seconds bounds calls
    that set no bound. Keys may stand there as they are, or as `os.environ/NAME`.

    Raises:
        CallerError: CREDENTIALS_MISSING, or INVALID_REQUEST for what has no place in this gateway.
    """
    return config_of_list(model_list, timeout, _sections(None, data_dir))


class MultiProviderGateway(Gateway):
    """A gateway that goes on to the next provider when one fails.

    When every one failed, the error is ALL_TARGETS_FAILED and names what each one said.
    """

    def __init__(
        self,
        providers: Sequence[str | Mapping[str, object]],
        default_model: str | None = None,
        api_keys: Mapping[str, str] | None = None,
        *,
        timeout: float | None = None,
        data_dir: str | Path | None = None,
    ) -> None:
        """`providers` in order of priority; everything else as for `create_gateway`."""
        sections = _sections(timeout, data_dir)
        super().__init__(gateway_config(providers, default_model, api_keys or {}, sections))


def _sections(timeout_s: float | None, data_dir: str | Path | None) -> dict[str, object]:
    sections: dict[str, object] = {}
    if timeout_s is not None:
        sections["server"] = {"default_deadline_s": timeout_s}
    if data_dir is not None:
        sections["data_dir"] = str(data_dir)
    return sections
