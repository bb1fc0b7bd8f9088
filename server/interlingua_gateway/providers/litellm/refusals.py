"""The one place that decides what becomes of a parameter that a target cannot honour."""

from __future__ import annotations

from interlingua_gateway.core.call import Attempt, Warned
from interlingua_gateway.core.errors import CallerError, Reason


def leave_out(attempt: Attempt, path: str, description: str) -> None:
    """Note that `path` is not sent, where the caller asked for leniency.

    Raises:
        CallerError: the caller did not.
    """
    if not attempt.lenient:
        raise CallerError.of_field(path, description, Reason.UNSUPPORTED_PARAMETER)
    attempt.warnings.append(Warned(path, description))
