"""Posts events to a URL behind the request path: signed, in order, and again when it fails."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections import deque
from typing import Final

from interlingua_gateway.core.clock import Clock, Tasks, Timeout
from interlingua_gateway.core.ids import operation_id
from interlingua_gateway.providers.transport.errors import TransportError
from interlingua_gateway.providers.transport.messages import (
    HttpRequest,
    Transport,
    read_whole,
    split_url,
)

MAX_WAITING: Final = 1000
ATTEMPTS: Final = 10
FIRST_DELAY_S: Final = 1.0
LONGEST_DELAY_S: Final = 120.0
CONNECT_TIMEOUT_S: Final = 5.0
TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024
WORTH_REPEATING: Final = frozenset({408, 425, 429})

log = logging.getLogger("interlingua.webhook")


class _Delivery:
    """One event; its id stays the same when it is sent again."""

    __slots__ = ("body", "id")

    def __init__(self, body: bytes, delivery_id: str) -> None:
        self.body = body
        self.id = delivery_id


class Webhook:
    """Owns `transport`.

    A delivery is tried 10 times within about 8 minutes; one that the receiver refuses (a status
    of 3xx or 4xx that says so for good), or that does not get through, is dropped with a line in
    the log, as is the oldest of more than 1,000 that wait.
    """

    def __init__(self, url: str, secret: str, transport: Transport, clock: Clock) -> None:
        """Raises ValueError where `url` is not an absolute http or https URL."""
        self._origin, path = split_url(url)
        self._path = path or "/"
        self._secret = secret.encode()
        self._transport = transport
        self._clock = clock
        self._waiting: deque[_Delivery] = deque()
        self._tasks = Tasks()

    def post(self, body: bytes) -> None:
        """Send `body`, a JSON text, after those that wait."""
        self._waiting.append(_Delivery(body, operation_id(self._clock).replace("op_", "evt_", 1)))
        if len(self._waiting) > MAX_WAITING:
            self._dropped(self._waiting.popleft(), "too many wait")
        if not len(self._tasks):
            self._tasks.start(self._deliver_all(), "webhook")

    async def delivered(self) -> None:
        """Wait until all is sent or dropped."""
        await self._tasks.joined()

    async def aclose(self) -> None:
        """Drop what waits, and close the connections."""
        await self._tasks.aclose()
        for delivery in self._waiting:
            self._dropped(delivery, "the gateway stops")
        await self._transport.aclose()

    async def _deliver_all(self) -> None:
        while self._waiting:
            delivery = self._waiting[0]
            failure = await self._deliver(delivery)
            if failure:
                self._dropped(delivery, failure)
            if self._waiting and self._waiting[0] is delivery:
                self._waiting.popleft()

    async def _deliver(self, delivery: _Delivery) -> str:
        """Empty when it got through, else why it did not."""
        delay_s, failure = FIRST_DELAY_S, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._clock.sleep(delay_s * (0.5 + self._clock.random() / 2))
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
            try:
                status = await self._send(delivery)
            except (TransportError, TimeoutError) as error:
                failure = type(error).__name__
                continue
            if 200 <= status < 300:
                return ""
            failure = f"status {status}"
            if 300 <= status < 500 and status not in WORTH_REPEATING:
                return failure
        return failure

    async def _send(self, delivery: _Delivery) -> int:
        at = str(int(self._clock.time()))
        request = HttpRequest(
            method="POST",
            origin=self._origin,
            path=self._path,
            headers=(
                ("content-type", "application/json"),
                ("interlingua-delivery", delivery.id),
                ("interlingua-timestamp", at),
                ("interlingua-signature", signature(self._secret, at, delivery.body)),
            ),
            body=delivery.body,
        )
        with Timeout(self._clock, self._clock.monotonic() + TIMEOUT_S):
            response = await self._transport.send(
                request, connect_timeout_s=CONNECT_TIMEOUT_S, on_sent=lambda: None
            )
            await read_whole(response, MAX_ANSWER_BYTES)
            return response.status

    def _dropped(self, delivery: _Delivery, why: str) -> None:
        fields = {"delivery": delivery.id, "host": self._origin.authority, "reason": why}
        log.error("an event was not delivered", extra={"fields": fields})


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC of timestamp, dot and body, in hexadecimal digits."""
    text = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret, text, hashlib.sha256).hexdigest()
