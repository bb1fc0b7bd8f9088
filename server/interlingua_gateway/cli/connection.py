"""How commands reach a gateway, and what its failures mean to the person at the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from interlingua import (
    TLS,
    AuthenticationError,
    BudgetExceededError,
    Client,
    DeadlineExceededError,
    InterlinguaError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
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

_WAYS_ON: Final = {
    "model": "`interlingua models` lists what there is. A provider without a key, or one that the "
    "configuration does not name, serves none: `interlingua doctor` shows which keys are found.",
    "budget": "`interlingua budgets list` lists what there is.",
    "api_key": "`interlingua keys list` lists what there is.",
    "tenant": "`interlingua tenants put` makes one; `interlingua tenants list` lists them.",
}
"""What to do where there is no resource of a kind."""


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
    """What failed, in one line, with the fields that are to blame; of limits and budgets the
    message says it already."""
    told = error.message or error.code.name
    if isinstance(error, RateLimitedError | BudgetExceededError):
        return told
    blamed = [f"{v.subject}: {v.description}" for v in error.violations]
    return "; ".join([told, *(line for line in blamed if line not in told)])


def _advice(error: InterlinguaError, gateway: Gateway) -> str:
    if isinstance(error, UnavailableError) and not error.reason:
        return _no_connection(gateway)
    if error.retry_after_s is not None:
        return f"Try again in {math.ceil(error.retry_after_s * 10) / 10:g} s."
    if isinstance(error, AuthenticationError):
        return (
            f"Set {API_KEY_VARIABLE} to a key of this gateway, or give --api-key. The first key is "
            "made with the one that auth.admin_key of its configuration refers to."
        )
    if isinstance(error, PermissionDeniedError):
        return (
            "A key with more rights is needed: an administrator makes one with `interlingua keys "
            "create --scope ...`."
        )
    if isinstance(error, NotFoundError):
        return _WAYS_ON.get(error.resource.type if error.resource is not None else "model", "")
    if isinstance(error, DeadlineExceededError):
        return "Give it more time with --timeout."
    if isinstance(error, StreamBrokenError):
        return "What was written above is not the whole answer."
    return f"Operation {error.operation_id}" if error.operation_id else ""


def _no_connection(gateway: Gateway) -> str:
    start = (
        f"No gateway answers at {gateway.address}. Start one with `interlingua serve`, or say "
        f"where it is with --address or {ADDRESS_VARIABLE}. "
    )
    if gateway.tls or gateway.ca_file is not None:
        return (
            f"{start}If it does not speak TLS, leave out --tls and --ca-file (and "
            f"{CA_FILE_VARIABLE}); if its certificate is of an authority of your own, name that "
            "one's with --ca-file."
        )
    return (
        f"{start}If it speaks TLS, add --tls, or --ca-file (or {CA_FILE_VARIABLE}) with the "
        "certificates to trust."
    )
