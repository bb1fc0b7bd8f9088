"""Serves answers that were given before to the same request of the same tenant."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.call import CacheStatus, Call, Ending, Handler, Warned
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import CallerError, Reason, Resource
from interlingua_gateway.core.ports import Blobs
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.wishes import CacheMode, Leniency
from interlingua_gateway.policies.fingerprint import Fingerprints, sampled
from interlingua_gateway.policies.kept import (
    Kept,
    KeptCodec,
    Recording,
    is_complete,
    labels_of,
)


class CacheRule(msgspec.Struct, frozen=True, kw_only=True):
    """How answers of an alias are cached; `configuration` is the digest of the alias.

    `targets` are the alias's own deployments by name: an answer of any other, a fallback, is not
    kept. `sampled` caches also answers that are drawn anew each time.
    """

    configuration: str
    targets: Mapping[str, Target]
    ttl_s: float
    max_answer_bytes: int
    sampled: bool = True


class Cache:
    """Keeps whole answers that came to the end which the model chose, without a warning.

    A caller's ttl is the longest that its answer is kept, and the greatest age that it accepts.
    """

    def __init__(
        self, rules: Aliases[CacheRule], blobs: Blobs, fingerprints: Fingerprints, clock: Clock
    ) -> None:
        self._rules = rules
        self._blobs = blobs
        self._fingerprints = fingerprints
        self._clock = clock
        self._codec = KeptCodec()

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        rule = self._rules.find(call.request.model)
        if rule is None:
            _refuse_wishes(call)
            return await inner(call)
        mode = call.caching.mode or CacheMode.DEFAULT
        if mode is CacheMode.BYPASS or (not rule.sampled and sampled(call.request)):
            call.cache_status = CacheStatus.BYPASS
            if mode is CacheMode.ONLY_IF_CACHED:
                raise _missing(call)
            return await inner(call)
        key = f"answer:{self._fingerprints.of_call(call, rule.configuration)}"
        if mode is not CacheMode.REFRESH:
            kept = await self._find(key, call.caching.ttl_s)
            if kept is not None:
                return _hit(call, rule, kept)
        call.cache_status = CacheStatus.MISS
        if mode is CacheMode.REFRESH:
            call.cache_status = CacheStatus.REFRESHED
        elif mode is CacheMode.ONLY_IF_CACHED:
            raise _missing(call)
        return await self._fetch(key, call, rule, inner)

    async def _find(self, key: str, max_age_s: float | None) -> Kept | None:
        kept = self._codec.decode(await self._blobs.get(key))
        if kept is None or max_age_s is None:
            return kept
        return kept if self._clock.time() - kept.made_at_s <= max_age_s else None

    async def _fetch(self, key: str, call: Call, rule: CacheRule, inner: Handler) -> Reply:
        warned = len(call.warnings)
        reply = await inner(call)
        if len(call.warnings) > warned or reply.start.deployment not in rule.targets:
            return reply
        recording = Recording(reply)
        call.defer(lambda call, ending: self._keep(key, call, ending, rule, recording))
        return reply

    def _keep(
        self, key: str, call: Call, ending: Ending, rule: CacheRule, recording: Recording
    ) -> None:
        if call.free:  # who pays for the answer keeps it
            return
        request = self._fingerprints.of_request(call.request)
        kept = recording.kept(ending, self._clock.time(), request)
        if kept is None or not is_complete(call, kept.answer):
            return
        if call.target is None or call.target.deployment != kept.start.deployment:
            return  # another target went on with the answer of the first
        data = self._codec.encode(kept)
        if len(data) <= rule.max_answer_bytes:
            ttl_s = call.caching.ttl_s or rule.ttl_s
            self._blobs.put(key, data, ttl_s, labels_of(call, request))


def _hit(call: Call, rule: CacheRule, kept: Kept) -> Reply:
    call.cache_status = CacheStatus.HIT
    call.free = True
    call.target = rule.targets.get(kept.start.deployment)
    return kept.reply()


def _missing(call: Call) -> CallerError:
    return CallerError(
        Reason.RESOURCE_NOT_FOUND,
        "The answer is not in the cache, and the request allows no other.",
        resource=Resource("cached_answer", call.id),
    )


def _refuse_wishes(call: Call) -> None:
    """Refuse what a caller wishes of a cache that the alias does not have.

    Raises:
        CallerError: UNSUPPORTED_PARAMETER, unless the caller is lenient or wishes for no cache.
    """
    caching = call.caching
    mode = caching.mode
    if mode in (None, CacheMode.BYPASS) and caching.ttl_s is None:
        return
    field = "cache.ttl" if mode in (None, CacheMode.BYPASS) else "cache.mode"
    text = f"no cache is configured for model `{call.request.model[:80]}`"
    if call.routing.leniency is Leniency.WARN and mode is not CacheMode.ONLY_IF_CACHED:
        call.warnings.append(Warned(field, text))
        return
    raise CallerError.of_field(field, text, Reason.UNSUPPORTED_PARAMETER)
