"""The errors of limits and of the queue before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from interlingua_gateway.core.errors import PolicyError, Reason, Violation
from interlingua_gateway.core.quota import Bucket, Charge, Measure, Refusal

UNKNOWN_WAIT_S: Final = 1.0
"""When to ask again where nobody knows when a call will end."""

_UNITS: Final = {
    Measure.REQUESTS: "requests a minute",
    Measure.TOKENS: "tokens a minute",
    Measure.CONCURRENT: "calls at once",
}


def rate_limited(refusal: Refusal) -> PolicyError:
    """A limit is reached, and nothing may wait for it."""
    buckets = [charge.bucket for charge, _ in refusal.blocked]
    return _refused(
        Reason.RATE_LIMITED, f"{_said(buckets[0])} is reached.", buckets, refusal.wait_s
    )


def queue_full(charges: Sequence[Charge], wait_s: float | None) -> PolicyError:
    """The queue before `charges` is full."""
    buckets = [charge.bucket for charge in charges]
    text = f"{_said(buckets[0])} is reached, and its queue is full."
    return _refused(Reason.QUEUE_FULL, text, buckets, wait_s)


def too_late(charges: Sequence[Charge], wait_s: float | None) -> PolicyError:
    """A call cannot be served before its deadline, or before the longest wait is over."""
    buckets = [charge.bucket for charge in charges]
    text = (
        f"{_said(buckets[0])} is reached, and the call could not be served before its deadline or "
        "within the longest wait."
    )
    return _refused(Reason.QUEUE_FULL, text, buckets, wait_s)


def shutting_down() -> PolicyError:
    """The gateway stops while the call waits."""
    return PolicyError(
        Reason.SHUTTING_DOWN,
        "This gateway is about to stop. Send the call again.",
        retry_after_s=UNKNOWN_WAIT_S,
    )


def _said(bucket: Bucket) -> str:
    return f"The limit of {bucket.limit} {_UNITS[bucket.measure]} for `{bucket.subject}`"


def _refused(
    reason: Reason, text: str, buckets: Sequence[Bucket], wait_s: float | None
) -> PolicyError:
    violations = [
        Violation(bucket.subject, f"at most {bucket.limit} {_UNITS[bucket.measure]}")
        for bucket in buckets
    ]
    return PolicyError(
        reason,
        text,
        retry_after_s=UNKNOWN_WAIT_S if wait_s is None else wait_s,
        violations=tuple(violations),
        metadata={"limit": str(buckets[0].measure), "rule": buckets[0].rule},
    )
