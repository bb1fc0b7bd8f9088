"""What a caller wishes for the way of a call; none of it reaches the upstream."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from interlingua_gateway.core.aliases import EVERY_MODEL, AllowedModels
from interlingua_gateway.core.target import Capability, Strategy
from interlingua_gateway.core.types import Data


class Leniency(StrEnum):
    """What to do with a parameter that the chosen target cannot honour."""

    REJECT = "reject"
    WARN = "warn"


class Routing(Data, frozen=True):
    """Wishes for the way. None and empty leave a choice to the alias's own configuration."""

    strategy: Strategy | None = None
    fallbacks: tuple[str, ...] = ()
    """Aliases to try in order when the requested one fails before its first event."""
    hedge_after_s: float | None = None
    required: frozenset[Capability] = frozenset()
    max_cost_nano_usd: int | None = None
    sticky_key: str = ""
    continue_broken_stream: bool = False
    leniency: Leniency = Leniency.REJECT


class CacheMode(StrEnum):
    """Whether to read and write the cache of answers."""

    DEFAULT = "default"
    BYPASS = "bypass"
    REFRESH = "refresh"
    ONLY_IF_CACHED = "only_if_cached"


class Caching(Data, frozen=True):
    """Wishes for the cache. None leaves a choice to the alias's own configuration."""

    mode: CacheMode | None = None
    ttl_s: float | None = None


class Priority(IntEnum):
    """Place in the queue; higher goes first."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


class Caller(Data, frozen=True):
    """Who asks; empty fields are not known. `key` is the id of an API key, never its secret.

    `tier` is the tenant's; `models` are those that it may name.
    """

    tenant: str = ""
    project: str = ""
    key: str = ""
    user: str = ""
    tier: str = ""
    models: AllowedModels = EVERY_MODEL
