"""Lets identical calls in flight share one upstream call."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.call import Call, Handler
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.wishes import CacheMode
from interlingua_gateway.policies.fingerprint import Fingerprints, sampled
from interlingua_gateway.policies.flight import Flights


class DedupeRule(msgspec.Struct, frozen=True, kw_only=True):
    """How calls to an alias are joined; `configuration` is the digest of the alias.

    `sampled` joins also calls whose answer is drawn anew each time.
    """

    configuration: str
    sampled: bool = True


class Dedupe:
    """Joins the calls of one tenant that ask the same in the same way (whole or event by event).

    A caller who wants an answer of its own (cache mode BYPASS or REFRESH) is not joined.
    """

    def __init__(
        self, rules: Aliases[DedupeRule], flights: Flights, fingerprints: Fingerprints
    ) -> None:
        self._rules = rules
        self._flights = flights
        self._fingerprints = fingerprints

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        rule = self._rules.find(call.request.model)
        if (
            rule is None
            or call.caching.mode in (CacheMode.BYPASS, CacheMode.REFRESH)
            or (not rule.sampled and sampled(call.request))
        ):
            return await inner(call)
        digest = self._fingerprints.of_call(call, rule.configuration)
        return await self._flights.join((digest, call.streaming), call, inner)
