"""Makes the dialect that a provider's row speaks, for one account."""

from __future__ import annotations

from collections.abc import Mapping

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.anthropic import AnthropicDialect
from interlingua_gateway.providers.anthropic.dialect import VERSION
from interlingua_gateway.providers.dialect import Dialect
from interlingua_gateway.providers.registry import (
    ProviderRow,
    account_endpoint,
    openai_dialect,
)


def dialect_of(
    row: ProviderRow,
    *,
    redactor: Redactor,
    clock: Clock,
    base_url: str = "",
    api_key: str = "",
    api_version: str = "",
    headers: Mapping[str, str] | None = None,
) -> Dialect:
    """The dialect of `row` for one account; see openai_dialect. Of Anthropic's API the base URL may
    end in `/v1` or not.

    Raises:
        InternalError: the configuration names no usable base URL.
    """
    if row.api == "openai":
        return openai_dialect(
            row,
            redactor=redactor,
            clock=clock,
            base_url=base_url,
            api_key=api_key,
            api_version=api_version,
            headers=headers,
        )
    endpoint = account_endpoint(
        row,
        base_url=base_url.rstrip("/").removesuffix("/v1"),
        api_key=api_key,
        headers=dict([VERSION]) | {name.lower(): value for name, value in (headers or {}).items()},
    )
    return AnthropicDialect(endpoint, redactor=redactor, clock=clock)
