"""AdminService on keys and tenants: what is refused, and pages; and channelz beside it."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

from interlingua.v1 import admin_service_pb2 as pb
from interlingua.v1 import admin_service_pb2_grpc
from interlingua_gateway.app.build import _server_options
from tests.support.failures import failure
from tests.support.gateway import Running, configuration, scripted

TREE = {**scripted(), "auth": {"anonymous": ["admin"]}}


@pytest.fixture
async def gateway(start) -> Running:
    return await start(TREE)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.CreateApiKeyRequest(tenant_id="a b"), "tenant_id"),
        (pb.CreateApiKeyRequest(tenant_id="a\0"), "tenant_id"),
        (pb.CreateApiKeyRequest(project="-p"), "project"),
        (pb.CreateApiKeyRequest(display_name="a\nb"), "display_name"),
        (pb.CreateApiKeyRequest(display_name="x" * 201), "display_name"),
        (pb.CreateApiKeyRequest(scopes=[pb.SCOPE_ADMIN, pb.SCOPE_UNSPECIFIED]), "scopes[1]"),
        (pb.CreateApiKeyRequest(allowed_models=["a", ""]), "allowed_models[1]"),
        (pb.CreateApiKeyRequest(allowed_models=["*a*"]), "allowed_models[0]"),
        (pb.CreateApiKeyRequest(allowed_models=map(str, range(1001))), "allowed_models"),
        (pb.CreateApiKeyRequest(ttl=Duration()), "ttl"),
        (pb.CreateApiKeyRequest(ttl=Duration(seconds=-1)), "ttl"),
        (pb.RotateApiKeyRequest(id="x", overlap=Duration(nanos=-1)), "overlap"),
        (pb.ListApiKeysRequest(page_token="1"), "page_token"),
        (pb.ListApiKeysRequest(page_token=f"{'9' * 16}.{'a' * 16}"), "page_token"),
        (pb.PutTenantRequest(), "tenant.id"),
        (pb.PutTenantRequest(tenant=pb.Tenant(id="x" * 129)), "tenant.id"),
        (pb.PutTenantRequest(tenant=pb.Tenant(id="a", tier="?")), "tenant.tier"),
        (
            pb.PutTenantRequest(tenant=pb.Tenant(id="a", allowed_models=[" a"])),
            "tenant.allowed_models[0]",
        ),
        (pb.ListTenantsRequest(page_token="?"), "page_token"),
        (pb.DeleteTenantRequest(), "id"),
    ],
)
async def test_what_is_refused(gateway: Running, request_: Message, field: str) -> None:
    name = type(request_).__name__.removesuffix("Request")
    call = gateway.method(name, "AdminService")(request_.SerializeToString())
    failed = await failure(call)
    assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failed.fields == [field]


async def test_pages(gateway: Running) -> None:
    admin = admin_service_pb2_grpc.AdminServiceStub(gateway.channel)
    for name in "abc":
        await admin.PutTenant(pb.PutTenantRequest(tenant=pb.Tenant(id=name)))
        await admin.CreateApiKey(pb.CreateApiKeyRequest(tenant_id=name))
    tenants = await admin.ListTenants(pb.ListTenantsRequest(page_size=2))
    rest = await admin.ListTenants(
        pb.ListTenantsRequest(page_size=2, page_token=tenants.next_page_token)
    )
    assert [t.id for t in (*tenants.tenants, *rest.tenants)] == ["a", "b", "c"]
    assert not rest.next_page_token
    keys = await admin.ListApiKeys(pb.ListApiKeysRequest(page_size=2))
    others = await admin.ListApiKeys(
        pb.ListApiKeysRequest(page_size=2, page_token=keys.next_page_token)
    )
    assert {k.tenant_id for k in (*keys.api_keys, *others.api_keys)} == {"a", "b", "c"}
    assert not others.next_page_token


@pytest.mark.parametrize("channelz", [None, False])
async def test_channelz(start, channelz: bool | None) -> None:
    """It needs no credentials; so by default it is there for this machine alone."""
    gateway = await start({**scripted(), "server": {"channelz": channelz}})
    stub = channelz_pb2_grpc.ChannelzStub(gateway.channel)
    request = channelz_pb2.GetServersRequest()
    if channelz is None:
        assert (await stub.GetServers(request)).server
    else:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetServers(request)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_channelz_elsewhere(tmp_path: Path) -> None:
    def served(**server: object) -> bool:
        tree = {"server": {"listen": ["0.0.0.0:1"], **server}, "auth": {"anonymous": []}}
        return _server_options(configuration(tree, tmp_path).server).channelz

    assert not served()
    assert served(channelz=True)
