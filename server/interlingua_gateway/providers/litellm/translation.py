"""Turns whatever litellm raises into the house's own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import litellm

from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.providers.litellm.failure import Failure, Kind


@contextmanager
def translated(model: str, provider: object) -> Iterator[None]:
    """Turn whatever litellm raises into a Failure. litellm raises every class there is, and its
    exceptions hold keys: their chain ends here."""
    try:
        yield
    except GatewayError:
        raise
    except Exception as error:  # noqa: BLE001 - the library raises every class there is
        raise failure_of(error, model, provider) from None


def failure_of(error: Exception, model: str, provider: object) -> Failure:
    """What litellm's own classes say of `error`."""
    mapped = error
    try:
        mapped = litellm.exception_type(
            model=model, original_exception=error, custom_llm_provider=provider or ""
        )
    except Exception as raised:  # noqa: BLE001 - it raises the mapped exception, or another
        mapped = raised
    for kind, classes in _KINDS:
        if isinstance(mapped, classes):
            return Failure(kind, str(error))
    return Failure(Kind.OTHER, str(error))


_KINDS: tuple[tuple[Kind, Any], ...] = (
    (Kind.CONTEXT, litellm.ContextWindowExceededError),
    (Kind.CONTENT, litellm.ContentPolicyViolationError),
    (Kind.PARAMETER, litellm.UnsupportedParamsError),
    (Kind.CREDENTIALS, (litellm.AuthenticationError, litellm.PermissionDeniedError)),
    (Kind.REQUEST, (litellm.BadRequestError, litellm.UnprocessableEntityError)),
)
