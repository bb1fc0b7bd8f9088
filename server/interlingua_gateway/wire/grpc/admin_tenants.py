"""interlingua.v1.AdminService: tenants."""

from __future__ import annotations

from interlingua.v1 import admin_service_pb2
from interlingua_gateway.core.identities import KeyAdmin, Tenant
from interlingua_gateway.wire.grpc import admin_fields as fields
from interlingua_gateway.wire.grpc.encode import timestamp
from interlingua_gateway.wire.grpc.exchange import Exchange
from interlingua_gateway.wire.grpc.parse import parse


class TenantMethods:
    """Makes, lists and ends tenants."""

    def __init__(self, admin: KeyAdmin) -> None:
        self._admin = admin

    async def put_tenant(self, data: bytes, exchange: Exchange) -> bytes:
        """A tenant, new or changed."""
        request = parse(admin_service_pb2.PutTenantRequest, data, fields.REQUEST_LIMIT_BYTES)
        pb = request.tenant
        wish = Tenant(
            id=fields.name_in(pb.id, "tenant.id"),
            display_name=fields.text_in(pb.display_name, "tenant.display_name"),
            tier=fields.name_in(pb.tier, "tenant.tier", needed=False),
            models=fields.models_in(pb.allowed_models, "tenant.allowed_models"),
        )
        exchange.subject = f"tenant {wish.id}"
        tenant = await self._admin.put_tenant(wish)
        return admin_service_pb2.PutTenantResponse(tenant=_tenant(tenant)).SerializeToString()

    async def list_tenants(self, data: bytes, exchange: Exchange) -> bytes:
        """A page of tenants."""
        pb = parse(admin_service_pb2.ListTenantsRequest, data, fields.REQUEST_LIMIT_BYTES)
        after = fields.name_in(pb.page_token, "page_token", needed=False)
        size = fields.page_size(pb.page_size)
        tenants = await self._admin.tenants(after=after, limit=size + 1)
        shown = tenants[:size]
        return admin_service_pb2.ListTenantsResponse(
            tenants=[_tenant(tenant) for tenant in shown],
            next_page_token=shown[-1].id if len(tenants) > size else "",
        ).SerializeToString()

    async def delete_tenant(self, data: bytes, exchange: Exchange) -> bytes:
        """Nothing, once the tenant has ended."""
        pb = parse(admin_service_pb2.DeleteTenantRequest, data, fields.REQUEST_LIMIT_BYTES)
        tenant = fields.name_in(pb.id, "id")
        exchange.subject = f"tenant {tenant}"
        await self._admin.delete_tenant(tenant)
        return admin_service_pb2.DeleteTenantResponse().SerializeToString()


def _tenant(tenant: Tenant) -> admin_service_pb2.Tenant:
    return admin_service_pb2.Tenant(
        id=tenant.id,
        display_name=tenant.display_name,
        tier=tenant.tier,
        allowed_models=tenant.models,
        created_at=timestamp(tenant.created_at_s),
    )
