"""How commands reach a gateway, and what its failures mean to the person at the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from interlingua import (
    TLS,
    AuthenticationError,
    Client,
    DeadlineExceededError,
    InterlinguaError,
    NotFoundError,
    PermissionDeniedError,
    StreamBrokenError,
    UnavailableError,
)
from interlingua_gateway.cli.failure import MISUSED, CommandError
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.config.environment import (
    ADDRESS_VARIABLE,
    API_KEY_VARIABLE,
    CA_FILE_VARIABLE,
)

_LISTS: Final = {
    "model": "models",
    "budget": "budgets list",
    "api_key": "keys list",
    "tenant": "tenants list",
}
"""The commands that list each kind of resource."""


@contextmanager
def connected(gateway: Gateway) -> Iterator[Client]:
    """A client of `gateway`; its failures become CommandErrors with advice."""
    try:
        tls: TLS | bool = gateway.tls
        if gateway.ca_file is not None:
            tls = TLS.from_files(root_certificates=gateway.ca_file)
        client = Client(
            gateway.address, api_key=gateway.api_key or None, tls=tls, timeout_s=gateway.timeout_s
        )
    except ValueError as error:
        raise CommandError(str(error), exit_code=MISUSED) from None
    with client:
        try:
            yield client
        except InterlinguaError as error:
            raise CommandError(describe(error), advice=_advice(error, gateway)) from None
        except (TypeError, ValueError) as error:
            raise CommandError(str(error), exit_code=MISUSED) from None


def describe(error: InterlinguaError) -> str:
    """What failed, in one line, with the fields that are to blame."""
    blamed = [f"{v.subject}: {v.description}" for v in error.violations]
    extra = [line for line in blamed if line not in error.message]
    return "; ".join([error.message or error.code.name, *extra])


def _advice(error: InterlinguaError, gateway: Gateway) -> str:
    if isinstance(error, UnavailableError) and not error.reason:
        return (
            f"No gateway answers at {gateway.address}. Start one with `interlingua serve`, or say "
            f"where it is with --address or {ADDRESS_VARIABLE}. If it speaks TLS, add --tls, or "
            f"--ca-file (or {CA_FILE_VARIABLE}) with the certificates to trust."
        )
    if error.retry_after_s is not None:
        return f"Try again in {error.retry_after_s:g} s."
    if isinstance(error, AuthenticationError):
        return f"Set {API_KEY_VARIABLE} to a key of this gateway, or give --api-key."
    if isinstance(error, PermissionDeniedError):
        return "A key with more rights is needed: `interlingua keys create` makes one."
    if isinstance(error, NotFoundError):
        kind = error.resource.type if error.resource is not None else "model"
        return f"`interlingua {_LISTS[kind]}` lists what there is." if kind in _LISTS else ""
    if isinstance(error, DeadlineExceededError):
        return "Give it more time with --timeout."
    if isinstance(error, StreamBrokenError):
        return "What was written above is not the whole answer."
    return f"Operation {error.operation_id}" if error.operation_id else ""
