"""Makes two requests with the same idempotency key one operation."""

from __future__ import annotations

from interlingua_gateway.core.call import Call, DedupeStatus, Ending, Handler
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.ports import Blobs
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.policies.flight import Flights
from interlingua_gateway.policies.kept import KeptCodec, Recording, labels_of


class Idempotency:
    """While the first request is in flight the second joins it; afterwards it gets the answer that
    was kept, for `ttl_s` seconds, be it truncated or not. A failed operation may be tried again.

    Keys are a tenant's own. Among several gateways answers are shared if the store is; calls in
    flight are not.
    """

    def __init__(
        self,
        blobs: Blobs,
        ttl_s: float,
        flights: Flights,
        fingerprints: Fingerprints,
        clock: Clock,
    ) -> None:
        self._blobs = blobs
        self._ttl_s = ttl_s
        self._flights = flights
        self._fingerprints = fingerprints
        self._clock = clock
        self._codec = KeptCodec()

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        if not call.idempotency_key:
            return await inner(call)
        key = f"operation:{self._fingerprints.of_operation(call)}"
        request = self._fingerprints.of_request(call.request)
        flying = self._flights.request(key)
        if flying is not None and self._fingerprints.of_request(flying) != request:
            raise _other_request()

        async def once(fork: Call) -> Reply:
            return await self._once(key, request, fork, inner)

        return await self._flights.join(key, call, once)

    async def _once(self, key: str, request: str, fork: Call, inner: Handler) -> Reply:
        kept = self._codec.decode(await self._blobs.get(key))
        if kept is not None:
            if kept.request != request:
                raise _other_request()
            fork.free = True
            fork.dedupe_status = DedupeStatus.FOLLOWER
            return kept.reply()
        reply = await inner(fork)
        recording = Recording(reply)

        def keep(call: Call, ending: Ending) -> None:
            made = recording.kept(ending, self._clock.time(), request)
            if made is not None:
                labels = labels_of(call, request)
                self._blobs.put(key, self._codec.encode(made), self._ttl_s, labels)

        fork.defer(keep)
        return reply


def _other_request() -> CallerError:
    return CallerError.of_field("idempotency_key", "was used for another request")
