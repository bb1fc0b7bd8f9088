"""API keys and tenants of a gateway: AdminService's methods for those who run it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar, Unpack

from google.protobuf.duration_pb2 import Duration

from interlingua.requests import CallOptions
from interlingua.v1.admin_service_pb2 import (
    ApiKey,
    CreateApiKeyRequest,
    DeleteTenantRequest,
    ListApiKeysRequest,
    ListTenantsRequest,
    PutTenantRequest,
    RevokeApiKeyRequest,
    RotateApiKeyRequest,
    Scope,
    Tenant,
)

if TYPE_CHECKING:
    import grpc

    from interlingua.v1.admin_service_pb2_grpc import AdminServiceAsyncStub, AdminServiceStub

_Req = TypeVar("_Req")
_Res = TypeVar("_Res")


class Calling(Protocol):
    """Makes one call with the client's timeouts and credentials."""

    def __call__(
        self,
        method: "grpc.UnaryUnaryMultiCallable[_Req, _Res]",
        name: str,
        request: _Req,
        options: CallOptions,
    ) -> _Res: ...


class AsyncCalling(Protocol):
    """Makes one call with the client's timeouts and credentials."""

    async def __call__(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[_Req, _Res]",
        name: str,
        request: _Req,
        options: CallOptions,
    ) -> _Res: ...


class Access:
    """Keys and tenants; `Client.access`. Every method needs the scope `admin`.

    Secrets are in what `create_key` and `rotate_key` return, and can be had at no other time.
    """

    def __init__(self, admin: "AdminServiceStub", call: Calling) -> None:
        self._admin = admin
        self._call = call

    def create_key(
        self, wish: CreateApiKeyRequest, **options: Unpack[CallOptions]
    ) -> tuple[ApiKey, str]:
        """Makes a key; returns it and what its holder sends."""
        made = self._call(self._admin.CreateApiKey, "CreateApiKey", wish, options)
        return made.api_key, made.secret

    def keys(
        self, tenant: str = "", *, ended: bool = False, **options: Unpack[CallOptions]
    ) -> list[ApiKey]:
        """Every key, or those of `tenant`, newest first; with `ended` also those that do not work
        any more. The timeout holds for each page of them."""
        found: list[ApiKey] = []
        request = ListApiKeysRequest(tenant_id=tenant, include_ended=ended)
        while True:
            page = self._call(self._admin.ListApiKeys, "ListApiKeys", request, options)
            found.extend(page.api_keys)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def rotate_key(
        self, key: str, overlap: timedelta | None = None, **options: Unpack[CallOptions]
    ) -> tuple[ApiKey, str]:
        """Gives the key of that id a new secret; returns both. The old one works for `overlap`
        more, by default a day."""
        request = rotation(key, overlap)
        made = self._call(self._admin.RotateApiKey, "RotateApiKey", request, options)
        return made.api_key, made.secret

    def revoke_key(self, key: str, **options: Unpack[CallOptions]) -> ApiKey:
        """Ends the key of that id. Raises NotFoundError if there is none."""
        request = RevokeApiKeyRequest(id=key)
        return self._call(self._admin.RevokeApiKey, "RevokeApiKey", request, options).api_key

    def put_tenant(self, tenant: Tenant, **options: Unpack[CallOptions]) -> Tenant:
        """Makes `tenant` or replaces the settings of the one with its id."""
        request = PutTenantRequest(tenant=tenant)
        return self._call(self._admin.PutTenant, "PutTenant", request, options).tenant

    def tenants(self, **options: Unpack[CallOptions]) -> list[Tenant]:
        """Every tenant, by id. The timeout holds for each page of them."""
        found: list[Tenant] = []
        request = ListTenantsRequest()
        while True:
            page = self._call(self._admin.ListTenants, "ListTenants", request, options)
            found.extend(page.tenants)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def delete_tenant(self, tenant: str, **options: Unpack[CallOptions]) -> None:
        """Ends the tenant of that id and all its keys. Raises NotFoundError if there is none."""
        request = DeleteTenantRequest(id=tenant)
        self._call(self._admin.DeleteTenant, "DeleteTenant", request, options)


class AsyncAccess:
    """Keys and tenants; `AsyncClient.access`. Every method needs the scope `admin`.

    Secrets are in what `create_key` and `rotate_key` return, and can be had at no other time.
    """

    def __init__(self, admin: "AdminServiceAsyncStub", call: AsyncCalling) -> None:
        self._admin = admin
        self._call = call

    async def create_key(
        self, wish: CreateApiKeyRequest, **options: Unpack[CallOptions]
    ) -> tuple[ApiKey, str]:
        """Makes a key; returns it and what its holder sends."""
        made = await self._call(self._admin.CreateApiKey, "CreateApiKey", wish, options)
        return made.api_key, made.secret

    async def keys(
        self, tenant: str = "", *, ended: bool = False, **options: Unpack[CallOptions]
    ) -> list[ApiKey]:
        """Every key, or those of `tenant`, newest first; with `ended` also those that do not work
        any more. The timeout holds for each page of them."""
        found: list[ApiKey] = []
        request = ListApiKeysRequest(tenant_id=tenant, include_ended=ended)
        while True:
            page = await self._call(self._admin.ListApiKeys, "ListApiKeys", request, options)
            found.extend(page.api_keys)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def rotate_key(
        self, key: str, overlap: timedelta | None = None, **options: Unpack[CallOptions]
    ) -> tuple[ApiKey, str]:
        """Gives the key of that id a new secret; returns both. The old one works for `overlap`
        more, by default a day."""
        request = rotation(key, overlap)
        made = await self._call(self._admin.RotateApiKey, "RotateApiKey", request, options)
        return made.api_key, made.secret

    async def revoke_key(self, key: str, **options: Unpack[CallOptions]) -> ApiKey:
        """Ends the key of that id. Raises NotFoundError if there is none."""
        request = RevokeApiKeyRequest(id=key)
        made = await self._call(self._admin.RevokeApiKey, "RevokeApiKey", request, options)
        return made.api_key

    async def put_tenant(self, tenant: Tenant, **options: Unpack[CallOptions]) -> Tenant:
        """Makes `tenant` or replaces the settings of the one with its id."""
        request = PutTenantRequest(tenant=tenant)
        return (await self._call(self._admin.PutTenant, "PutTenant", request, options)).tenant

    async def tenants(self, **options: Unpack[CallOptions]) -> list[Tenant]:
        """Every tenant, by id. The timeout holds for each page of them."""
        found: list[Tenant] = []
        request = ListTenantsRequest()
        while True:
            page = await self._call(self._admin.ListTenants, "ListTenants", request, options)
            found.extend(page.tenants)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def delete_tenant(self, tenant: str, **options: Unpack[CallOptions]) -> None:
        """Ends the tenant of that id and all its keys. Raises NotFoundError if there is none."""
        request = DeleteTenantRequest(id=tenant)
        await self._call(self._admin.DeleteTenant, "DeleteTenant", request, options)


def new_key(
    tenant: str = "",
    *,
    name: str = "",
    project: str = "",
    scopes: Sequence[str] = (),
    models: Sequence[str] = (),
    ttl: timedelta | None = None,
) -> CreateApiKeyRequest:
    """The wish for a key. `scopes` are names such as `inference`, which it has by default.

    Raises:
        ValueError: there is no such scope.
    """
    request = CreateApiKeyRequest(
        display_name=name,
        tenant_id=tenant,
        project=project,
        scopes=[Scope.Value(f"SCOPE_{scope.upper()}") for scope in scopes],
        allowed_models=models,
    )
    if ttl is not None:
        request.ttl.FromTimedelta(ttl)
    return request


def rotation(key: str, overlap: timedelta | None) -> RotateApiKeyRequest:
    """The wish for a new secret."""
    request = RotateApiKeyRequest(id=key)
    if overlap is not None:
        duration = Duration()
        duration.FromTimedelta(overlap)
        request.overlap.CopyFrom(duration)
    return request
