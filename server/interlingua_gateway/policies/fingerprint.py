"""What makes two calls the same: digests of what decides the answer, and of nothing else.

In the digest of a call: the tenant; the configuration of the alias and of the providers behind it;
the request as it goes upstream, `provider_options_json` and the texts of schemas to the letter; of
the wishes for the way those that decide which answers are acceptable (fallbacks, required
capabilities, leniency).

Not in it: the end user (`user`), metadata, tags, priority, deadline, trace, idempotency key, cache
mode and ttl, and the wishes that choose among equals (strategy, hedge, sticky key, price ceiling,
continuation). They change neither what is asked nor what may be answered. Tags are in it after all
where rules of the routing look at them: they then decide which model answers.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.types import CountRequest, EmbedRequest, GenerateRequest, Request

VERSION: Final = 1
"""Counts up when the form of keys or of kept answers changes, so that old ones are not found."""


class Fingerprints:
    """Makes digests: 64 hexadecimal digits of SHA-256 over a canonical encoding."""

    __slots__ = ("_encoder", "_tagged")

    def __init__(self, *, tagged: bool = False) -> None:
        self._tagged = tagged
        # Maps and sets in a fixed order, so that equal values have equal bytes.
        self._encoder = msgspec.msgpack.Encoder(order="deterministic")

    def of_call(self, call: Call, configuration: str) -> str:
        """The digest of a call to an alias whose configuration has the digest `configuration`."""
        routing = call.routing
        return self._digest(
            call.caller.tenant,
            configuration,
            _asked(call.request),
            routing.fallbacks,
            routing.required,
            routing.leniency,
            sorted(set(call.tags)) if self._tagged else (),
        )

    def of_request(self, request: Request) -> str:
        """The digest of what is asked, whoever asks and however it is served."""
        return self._digest(_asked(request))

    def of_operation(self, call: Call) -> str:
        """The digest of the tenant's name for an operation."""
        return self._digest(call.caller.tenant, call.idempotency_key)

    def _digest(self, *parts: object) -> str:
        return hashlib.sha256(self._encoder.encode((VERSION, *parts))).hexdigest()


def sampled(request: Request) -> bool:
    """Is the answer drawn anew each time: more than one candidate, or a temperature other than 0
    (also an unset one, which providers take as above 0) without a seed?"""
    if not isinstance(request, GenerateRequest):
        return False
    sampling = request.sampling
    return (sampling.n or 1) > 1 or (sampling.temperature != 0 and sampling.seed is None)


def _asked(request: Request) -> tuple[object, ...]:
    """What is asked: `request` without the end user, its biases in the order of their tokens."""
    if isinstance(request, EmbedRequest):
        return (msgspec.structs.replace(request, user=None),)
    if isinstance(request, CountRequest):
        return ("count", *_asked(request.request))
    # The encoder orders maps by keys that are texts; these are numbers.
    biases = sorted(request.sampling.logit_bias.items())
    sampling = msgspec.structs.replace(request.sampling, logit_bias={}) if biases else None
    return (
        msgspec.structs.replace(request, user=None, sampling=sampling or request.sampling),
        biases,
    )
