"""How answers are kept and shared: the cache, calls in flight, joined embeddings, Redis."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from interlingua_gateway.config.fields import Count, LocatedPath, Seconds
from interlingua_gateway.config.secret import Secret
from interlingua_gateway.config.section import Section

MEBIBYTE = 1024 * 1024

_REDIS_URL = re.compile(r"(?:rediss?|unix)://(?P<credentials>[^/]*@)?[^@]+\Z")


def _redis_url(value: str) -> str:
    match = _REDIS_URL.match(value)
    if match is None:
        raise ValueError("write redis://host:6379/0, rediss://host:6379/0 or unix:///path")
    if match["credentials"]:
        raise ValueError("credentials do not belong into a URL; use username and password")
    return value


class RedisConfig(Section):
    """The Redis that several gateways share."""

    url: Annotated[str, AfterValidator(_redis_url)]
    """redis://host:6379/0, rediss://host:6379/0 for TLS, or unix:///path."""
    username: str | None = None
    """User of Redis's access control lists."""
    password: Secret | None = None
    """env:NAME or file:/path."""
    ca_file: LocatedPath | None = None
    """PEM certificates to trust instead of the system's, with rediss://."""
    timeout_s: Seconds = 0.25
    """Seconds that anything may wait for Redis, connecting included."""

    @field_validator("ca_file")
    @classmethod
    def _is_of_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and not info.data.get("url", "rediss:").startswith("rediss:"):
            raise ValueError("only a url with rediss:// has certificates to check")
        return value


class CacheConfig(Section):
    """Where answers are kept; which ones are is said by each model."""

    store: Literal["memory", "redis"] = "memory"
    """memory is this process's own; redis is shared by all gateways that use it."""
    max_bytes: Count = 64 * MEBIBYTE
    """Memory for answers in bytes; the least recently used give way. Redis has its own
    maxmemory."""
    idempotency_ttl_s: Seconds = 3600
    """Seconds for which the answer to a request with an idempotency key is kept, as far as the
    store has room."""


class ModelCacheConfig(Section):
    """Answers of a model are kept for the same request of the same tenant."""

    ttl_s: Seconds = 3600
    """Seconds for which an answer is kept; a request may say otherwise."""
    max_answer_bytes: Count = MEBIBYTE
    """Longer answers are not kept."""
    sampled: bool = True
    """Also keep answers that are drawn anew each time: several candidates, or a temperature that is
    not 0 without a seed."""


class DedupeConfig(Section):
    """Identical calls in flight of one tenant share one upstream call."""

    sampled: bool = True
    """Also share answers that are drawn anew each time: several candidates, or a temperature that
    is not 0 without a seed."""


class EmbedBatchingConfig(Section):
    """Embed calls of one tenant at nearly the same time become one upstream call."""

    max_delay_s: Annotated[float, Field(gt=0, le=1)] = 0.005
    """Longest time in seconds for which a call waits for others."""
    max_inputs: Annotated[int, Field(ge=2, le=10_000)] = 64
    """Most inputs of one upstream call; the provider's own limit, or less."""
