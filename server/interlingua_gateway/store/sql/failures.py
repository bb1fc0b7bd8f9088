"""What a database that does not answer looks like to its callers; needs no database library."""

from __future__ import annotations

from typing import Final

from interlingua_gateway.core.errors import PolicyError, Reason

RETRY_AFTER_S: Final = 2.0


class DatabaseDown(PolicyError):
    """The database does not answer, or has too much to do; what was asked for did not happen.

    `why` is what its driver says, for those who run the gateway and not for callers; it may be
    empty.
    """

    def __init__(self, why: str = "") -> None:
        super().__init__(
            Reason.STORE_UNAVAILABLE,
            "The gateway's database does not answer. Send the call again a little later.",
            retry_after_s=RETRY_AFTER_S,
        )
        self.why = why
