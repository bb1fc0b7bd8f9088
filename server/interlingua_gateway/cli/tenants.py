"""`interlingua tenants`: who uses a gateway."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from interlingua.jsonform import to_json
from interlingua.v1.admin_service_pb2 import Tenant
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import write


def put(
    gateway: Gateway,
    tenant: str,
    *,
    name: str,
    tier: str,
    models: Sequence[str],
    as_json: bool,
) -> None:
    """Make or change a tenant, and write it."""
    wish = Tenant(id=tenant, display_name=name, tier=tier, allowed_models=models)
    with connected(gateway) as client:
        kept = client.access.put_tenant(wish)
    _show([kept], as_json=as_json)


def show(gateway: Gateway, *, as_json: bool) -> None:
    """Write the tenants as a table, or as JSON (one line a tenant)."""
    with connected(gateway) as client:
        tenants = client.access.tenants()
    _show(tenants, as_json=as_json)


def delete(gateway: Gateway, tenant: str) -> None:
    """End a tenant."""
    with connected(gateway) as client:
        client.access.delete_tenant(tenant)
    write(f"{tenant} ended\n")


def _show(tenants: Sequence[Tenant], *, as_json: bool) -> None:
    if as_json:
        for tenant in tenants:
            write(to_json(tenant) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("tenant", "name", "tier", "models", "made (UTC)"):
        table.add_column(heading, overflow="fold")
    for tenant in tenants:
        table.add_row(
            tenant.id,
            tenant.display_name,
            tenant.tier or "(default)",
            ", ".join(tenant.allowed_models) or "all",
            f"{tenant.created_at.ToDatetime():%Y-%m-%d %H:%M}",
        )
    Console(highlight=False, markup=False).print(table)
