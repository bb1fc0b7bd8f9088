"""Names for operations: unique, sortable by time, safe to show."""

from __future__ import annotations

from interlingua_gateway.core.clock import Clock


def first_id_at(at_ms: int) -> str:
    """Not above any operation id of that millisecond or later, above all earlier ones."""
    return f"op_{at_ms:011x}"


def operation_id(clock: Clock) -> str:
    """`op_`, eleven hexadecimal digits of milliseconds since the epoch, thirteen random ones."""
    return f"op_{int(clock.time() * 1000):011x}{int(clock.random() * 2**52):013x}"
