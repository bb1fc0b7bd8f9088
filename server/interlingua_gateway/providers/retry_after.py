"""When an upstream says that it may be asked again."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

from interlingua_gateway.providers.dialect import Header


def retry_after_s(header: Header, now: float) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (RFC 9110, section 10.2.3: seconds or
    an HTTP date, compared with `now` in Unix seconds); None if neither says so."""
    milliseconds = _number(header("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = header("retry-after").strip()
    if not value:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
