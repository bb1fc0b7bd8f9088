"""Names for operations: unique, sortable by time, safe to show."""

from __future__ import annotations

from interlingua_gateway.core.clock import Clock


def first_id_at(at_ms: int) -> str:
    """Not above any operation id of that millisecond or later, above all earlier ones."""
    return f"op_{at_ms:011x}"


def time_ms_of(operation_id: str) -> int:
    """Milliseconds since the epoch at which an operation was accepted; 0 for a foreign id."""
    try:
        return int(operation_id[3:14], 16)
    except ValueError:
        return 0


def operation_id(clock: Clock) -> str:
    """`op_`, eleven hexadecimal digits of milliseconds since the epoch, thirteen random ones."""
    return f"op_{int(clock.time() * 1000):011x}{int(clock.random() * 2**52):013x}"


def first_feedback_id_at(at_ms: int) -> str:
    """Not above any feedback id of that millisecond or later, above all earlier ones."""
    return f"fb_{at_ms:011x}"


def feedback_id(clock: Clock) -> str:
    """As an operation id, beginning with `fb_`."""
    return f"fb_{int(clock.time() * 1000):011x}{int(clock.random() * 2**52):013x}"
