"""What gRPC tells of one call: its name, its time, its trace, and what shows who its caller is."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast

import grpc

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.identity import NOBODY, Certificate, Identity
from interlingua_gateway.core.ids import operation_id

MARGIN_SHARE: Final = 0.05
MARGIN_MAX_S: Final = 0.05
ROUNDING_SHARE: Final = 0.01
"""gRPC core sends a timeout with two to three digits, rounded up: 14.91 s arrives as 15 s."""

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE_KEYS: Final = ("traceparent", "tracestate")
_READ_KEYS: Final = frozenset({*_TRACE_KEYS, "authorization", "x-api-key"})
_BEARER: Final = "bearer "
TRACESTATE_LIMIT: Final = 512

Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]


class Exchange:
    """One call as it came in.

    `deadline` is in `Clock.monotonic()` seconds, a little before the caller's own so that the
    answer, which says what spent it, still arrives; None without one. `tokens` are the credentials
    in the metadata; `identity` is nobody's until the front knows the caller. `subject` is what a
    method for admins acts on, for the log.
    """

    __slots__ = (
        "_context",
        "accepted_at_s",
        "deadline",
        "id",
        "identity",
        "method",
        "started",
        "subject",
        "tokens",
        "trace",
    )

    def __init__(
        self, method: str, context: Context, clock: Clock, default_deadline_s: float | None
    ) -> None:
        self.method = method
        self.id = operation_id(clock)
        self.started = clock.monotonic()
        self.accepted_at_s = clock.time()
        # Typed as a float, but None for a call without a deadline.
        remaining_s = cast("float | None", context.time_remaining())
        if remaining_s is None:
            remaining_s = default_deadline_s
        self.deadline = None if remaining_s is None else self.started + _usable(remaining_s)
        metadata = _texts(context)
        self.trace = trace_context(metadata) if metadata else {}
        self.tokens = credentials_in(metadata) if metadata else ()
        self.identity: Identity = NOBODY
        self.subject = ""
        self._context = context

    def certificate(self) -> Certificate | None:
        """The names in the certificate that TLS has verified, if the caller has shown one."""
        found = self._context.auth_context()
        if found.get("transport_security_type") != [b"ssl"] or "x509_pem_cert" not in found:
            return None
        names = found.get("x509_common_name", [b""])
        return Certificate(
            uris=_decoded(found.get("peer_uri", ())),
            dns=_decoded(found.get("peer_dns", ())),
            common_name=_decoded(names)[0],
        )

    def peer(self) -> str:
        """The address of the other end."""
        return str(self._context.peer())


def _decoded(values: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(value.decode("utf-8", "replace") for value in values)


def _usable(remaining_s: float) -> float:
    rounding_s = remaining_s * ROUNDING_SHARE
    return remaining_s - rounding_s - min(MARGIN_MAX_S, remaining_s * MARGIN_SHARE)


def _texts(context: Context) -> Sequence[tuple[str, str]]:
    """The entries of the metadata that the gateway reads, in their order."""
    metadata = context.invocation_metadata() or ()
    return [(str(key), str(value)) for key, value in metadata if key in _READ_KEYS]


def trace_context(metadata: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """The W3C trace context of the metadata, or nothing if it is malformed.

    Source: https://www.w3.org/TR/trace-context/
    """
    found = {key: value for key, value in metadata if key in _TRACE_KEYS}
    if _TRACEPARENT.fullmatch(found.get("traceparent", "")) is None:
        return {}
    if len(found.get("tracestate", "")) > TRACESTATE_LIMIT:
        del found["tracestate"]
    return found


def credentials_in(metadata: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Every credential of the metadata; what is not a bearer token is an empty one.

    Source: RFC 6750, section 2.1 (schemes of authorization are read in any case).
    """
    found: list[str] = []
    for key, value in metadata:
        if key == "x-api-key":
            found.append(value.strip())
        elif key == "authorization":
            bearer = value[: len(_BEARER)].lower() == _BEARER
            found.append(value[len(_BEARER) :].strip() if bearer else "")
    return tuple(found)


Write: TypeAlias = Callable[[bytes], Awaitable[None]]
UnaryMethod: TypeAlias = Callable[[bytes, Exchange], Awaitable[bytes]]
StreamMethod: TypeAlias = Callable[[bytes, Exchange, Write], Awaitable[None]]
