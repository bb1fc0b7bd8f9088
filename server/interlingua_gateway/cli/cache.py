"""`interlingua cache`: remove answers that a gateway keeps."""

from __future__ import annotations

from interlingua.v1.admin_service_pb2 import InvalidateCacheRequest
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import MISUSED, CommandError
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import write


def invalidate(
    gateway: Gateway,
    *,
    operation: str | None,
    model: str | None,
    tenant: str | None,
    tag: str | None,
) -> None:
    """Remove what the one option that is given selects, and write how many answers there were."""
    chosen = []
    if operation is not None:
        chosen.append(InvalidateCacheRequest(operation_id=operation))
    if model is not None:
        chosen.append(InvalidateCacheRequest(model=model))
    if tenant is not None:
        chosen.append(InvalidateCacheRequest(tenant_id=tenant))
    if tag is not None:
        chosen.append(InvalidateCacheRequest(tag=tag))
    if len(chosen) != 1:
        raise CommandError(
            "give exactly one of --operation, --model, --tenant and --tag", exit_code=MISUSED
        )
    with connected(gateway) as client:
        removed = client.invalidate_cache(chosen[0])
    write(f"{removed} removed\n")
