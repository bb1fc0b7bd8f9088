"""The protocols through which rooms meet that do not know each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from interlingua_gateway.core.call import Attempt, Call, Handler
from interlingua_gateway.core.quota import Bucket, Charge, Grant, Refusal
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.target import Model


class Policy(Protocol):
    """Stands around every call: may refuse it, change it, watch or change its reply."""

    async def __call__(self, call: Call, inner: Handler) -> Reply: ...


class Provider(Protocol):
    """Speaks to one upstream account."""

    async def open(self, attempt: Attempt) -> Reply:
        """Send the request and wait for the first event.

        Cancelling this coroutine, or closing the reply, ends the upstream request at once.

        Raises:
            CallerError: the upstream found the request at fault, or a parameter is unsupported.
            UpstreamError: it failed before its first event.
        """
        ...

    async def models(self) -> Sequence[str]:
        """The upstream's own names of the models that it offers now; may be empty.

        Raises:
            UpstreamError: the list could not be had.
        """
        ...

    async def aclose(self) -> None:
        """Close connections and processes; open replies break off."""
        ...


class Directory(Protocol):
    """Which models there are."""

    def models(self) -> Sequence[Model]:
        """All configured aliases and patterns, in the configuration's order."""
        ...

    def find(self, name: str) -> Model | None:
        """The model that serves `name`, wildcards included, or None."""
        ...

    def near(self, name: str) -> Sequence[str]:
        """Up to three aliases that look like `name`."""
        ...


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Health of one deployment over its recent attempts.

    `status` is `unknown` (no attempt yet), `healthy`, `degraded` or `unhealthy`; `note` says what
    keeps it from serving at all; `success_rate` is in [0, 1]; latencies are the 50th, 95th and
    99th percentile in seconds, or None without a sample. `breaker` is `closed`, `open`,
    `half_open`, or empty where there is none.
    """

    deployment: str
    provider: str
    status: str
    note: str = ""
    attempts: int = 0
    success_rate: float | None = None
    last_error: str = ""
    last_error_at_s: float | None = None
    latency: tuple[float, float, float] | None = None
    first_event: tuple[float, float, float] | None = None
    in_flight: int = 0
    breaker: str = ""


class HealthBoard(Protocol):
    """How the deployments are."""

    def conditions(self) -> Sequence[Condition]: ...


class Blobs(Protocol):
    """Keeps answers for a while. What it cannot keep or find is simply not there: never an error.

    Labels such as `tenant:acme` group blobs for removal.
    """

    async def get(self, key: str) -> bytes | None:
        """What was put under `key`, if it is still there."""
        ...

    def put(self, key: str, value: bytes, ttl_s: float, labels: Sequence[str]) -> None:
        """Keep `value` for `ttl_s` seconds at most; it may be written a little later."""
        ...

    async def remove(self, label: str) -> int:
        """Remove everything with `label`; returns how many there were.

        Raises:
            PolicyError: OVERLOADED; the store does not answer, so nothing is known to be removed.
        """
        ...


class Counters(Protocol):
    """Keeps the levels of limits."""

    async def reserve(self, charges: Sequence[Charge]) -> Grant | Refusal:
        """Take all of `charges` or nothing, in one step. A cancelled call takes nothing.

        Raises:
            PolicyError: OVERLOADED; the store does not answer and the configuration says to refuse.
        """
        ...

    def settle(self, grant: Grant, tokens: float | None) -> None:
        """Give back places, and correct what was reserved to `tokens` used (None: leave it).

        To be called once for each grant. It does not wait.
        """
        ...

    async def remaining(self, buckets: Sequence[Bucket]) -> Sequence[float]:
        """What is left of each, in its units; all of it where the store does not answer."""
        ...


class Headroom(msgspec.Struct, frozen=True):
    """What is left of a limit: its name, its capacity, what remains."""

    limit: str
    capacity: int
    remaining: int


class LimitBoard(Protocol):
    """What is left of the limits of upstreams."""

    async def headroom(self) -> Mapping[str, Sequence[Headroom]]:
        """By name of deployment; without those that have no limit."""
        ...
