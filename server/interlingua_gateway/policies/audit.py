"""Writes what auditors look for: one log line for each refused credential and admin action."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.identity import Evidence, Identity, Refused

BURST: Final = 100
LINES_PER_S: Final = 20.0

log = logging.getLogger("interlingua.audit")


class Audit:
    """Lines of logger `interlingua.audit`; no secret is in them.

    Refusals are at most `BURST` at once and `LINES_PER_S` in the long run, so that a flood of them
    does not fill the disk; the next line says how many were left out. Actions are never left out.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._room = float(BURST)
        self._seen = clock.monotonic()
        self._left_out = 0

    def refused(self, evidence: Evidence, error: GatewayError) -> None:
        """The caller of `evidence` was sent away with `error`."""
        if not self._has_room():
            self._left_out += 1
            return
        refused = error if isinstance(error, Refused) else None
        fields = {
            "operation_id": evidence.id,
            "method": evidence.method,
            "peer": evidence.peer(),
            "reason": str(error.reason),
            "why": error.message if refused is None else refused.why,
            "key": "" if refused is None else refused.key,
            "left_out": self._left_out,
        }
        self._left_out = 0
        log.warning("credentials refused", extra={"fields": fields})

    def acted(self, evidence: Evidence, identity: Identity, facts: Mapping[str, str]) -> None:
        """`identity` has used a method for admins."""
        fields = {
            "operation_id": evidence.id,
            "method": evidence.method,
            "peer": evidence.peer(),
            "by": identity.name,
            **facts,
        }
        log.info("admin action", extra={"fields": fields})

    def _has_room(self) -> bool:
        now = self._clock.monotonic()
        self._room = min(BURST, self._room + (now - self._seen) * LINES_PER_S)
        self._seen = now
        if self._room < 1:
            return False
        self._room -= 1
        return True
