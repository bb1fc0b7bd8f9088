"""Who may do what over real gRPC: keys and tokens through their lives, scopes, models, audit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from interlingua.v1 import admin_service_pb2 as pb
from interlingua.v1 import gateway_service_pb2, model_service_pb2
from tests.support.credentials import (
    ADMIN,
    DENIED,
    INVALID,
    MISSING,
    UNKNOWN,
    Stage,
    bearer,
    refused,
    staged,
    tree,
)
from tests.support.failures import failure
from tests.support.gateway import running
from tests.support.identity_provider import IdentityProvider
from tests.support.manual_clock import ManualClock
from tests.support.requests import ask


@pytest.fixture
async def stage(clock: ManualClock, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path, clock) as stage:
        yield stage


@pytest.mark.parametrize("how", ["authorization", "x-api-key"])
async def test_a_key_opens(stage: Stage, how: str) -> None:
    _, token = await stage.key(tenant_id="acme")
    assert await stage.says(((how, token if how == "x-api-key" else f"Bearer {token}"),)) == "hi"
    secret = token.rpartition("_")[2]
    assert secret not in stage.gateway.log
    data = b"".join(
        path.read_bytes()
        for path in (Path(stage.gateway.config.data_dir)).iterdir()
        if path.is_file()
    )
    assert token.split("_")[1].encode() in data
    assert secret.encode() not in data


async def test_the_admin_key_opens_everything(stage: Stage) -> None:
    assert await stage.says(bearer(ADMIN)) == "hi"
    assert ADMIN not in stage.gateway.log


async def test_metadata_that_is_too_large_never_gets_in(stage: Stage) -> None:
    """gRPC itself bounds headers, to 8 KiB softly and to 16 KiB for certain."""
    for size in (8200, 12_000, 20_000):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stage.says(bearer("z" * size))
        assert caught.value.code() in (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.UNAUTHENTICATED,
        )


async def test_what_ended_a_key_is_told_to_its_holder_alone(stage: Stage) -> None:
    name, token = await stage.key(tenant_id="acme", ttl=Duration(seconds=60))
    wrong = bearer(token[:-1] + ("a" if token[-1] != "a" else "b"))
    valid = bearer(token)
    assert await stage.says(valid) == "hi"
    assert "not valid" in await refused(stage, wrong, INVALID, "wrong secret", name)
    stage.clock.advance(61)
    assert "expired" in await refused(stage, valid, INVALID, "expired", name)
    assert "not valid" in await refused(stage, wrong, INVALID, "wrong secret", name)
    name, token = await stage.key(tenant_id="acme")
    await stage.admin.RevokeApiKey(pb.RevokeApiKeyRequest(id=name), metadata=bearer(ADMIN))
    assert "revoked" in await refused(stage, bearer(token), INVALID, "revoked", name)


async def test_rotation_with_an_overlap(stage: Stage) -> None:
    name, first = await stage.key()

    async def rotated(overlap_s: int) -> str:
        request = pb.RotateApiKeyRequest(id=name, overlap=Duration(seconds=overlap_s))
        return (await stage.admin.RotateApiKey(request, metadata=bearer(ADMIN))).secret

    second = await rotated(60)
    assert await stage.says(bearer(first)) == await stage.says(bearer(second)) == "hi"
    third = await rotated(60)
    await refused(stage, bearer(first), INVALID, "wrong secret", name)
    assert await stage.says(bearer(second)) == await stage.says(bearer(third)) == "hi"
    stage.clock.advance(60)
    assert "new secret" in await refused(stage, bearer(second), INVALID, "replaced secret", name)
    assert await stage.says(bearer(third)) == "hi"
    fourth = await rotated(0)
    await refused(stage, bearer(third), INVALID, "replaced secret", name)
    assert await stage.says(bearer(fourth)) == "hi"


async def test_the_end_of_a_tenant_ends_its_keys_and_tokens(stage: Stage) -> None:
    name, token = await stage.key(tenant_id="acme")
    assert await stage.says(bearer(stage.provider.token())) == "hi"
    end = pb.DeleteTenantRequest(id="acme")
    await stage.admin.DeleteTenant(end, metadata=bearer(ADMIN))
    await refused(stage, bearer(token), INVALID, "revoked", name)
    await refused(stage, bearer(stage.provider.token()), INVALID, "tenant ended")
    again = await failure(stage.admin.DeleteTenant(end, metadata=bearer(ADMIN)))
    assert again.reason == "RESOURCE_NOT_FOUND"
    wish = pb.CreateApiKeyRequest(tenant_id="acme")
    no_key = await failure(stage.admin.CreateApiKey(wish, metadata=bearer(ADMIN)))
    assert no_key.reason == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("by", ["ec-1", "rsa-1", "ed-1"])
async def test_a_token_opens_until_its_end(stage: Stage, by: str) -> None:
    token = bearer(stage.provider.token(by))
    assert await stage.says(token) == "hi"
    assert await stage.says(token) == "hi"
    assert stage.provider.fetches == 1
    stage.clock.advance(629)  # exp and the clock skew
    assert await stage.says(token) == "hi"
    stage.clock.advance(1)
    assert "expired" in await refused(stage, token, INVALID, "expired")


async def test_a_new_signing_key_is_fetched_when_a_token_needs_it(stage: Stage) -> None:
    assert await stage.says(bearer(stage.provider.token())) == "hi"
    stage.clock.advance(20)
    stage.provider.names.append("ec-2")
    assert await stage.says(bearer(stage.provider.token("ec-2"))) == "hi"
    fetches = stage.provider.fetches
    await refused(stage, bearer(stage.provider.token("ec-3")), INVALID, "unknown signing key")
    await refused(stage, bearer(stage.provider.token("ec-3")), INVALID, "unknown signing key")
    assert stage.provider.fetches == fetches
    stage.clock.advance(11)
    await refused(stage, bearer(stage.provider.token("ec-3")), INVALID, "unknown signing key")
    assert stage.provider.fetches == fetches + 1


async def test_a_key_that_is_withdrawn_ends_its_tokens(stage: Stage) -> None:
    token = bearer(stage.provider.token("ed-1"))
    assert await stage.says(token) == "hi"
    stage.provider.names.remove("ed-1")
    stage.clock.advance(20)
    await refused(stage, bearer(stage.provider.token("ec-3")), INVALID, "unknown signing key")
    await refused(stage, token, INVALID, "unknown signing key")


async def test_the_last_keys_stay_in_force_while_the_provider_is_down(stage: Stage) -> None:
    assert await stage.says(bearer(stage.provider.token())) == "hi"
    stage.provider.down = True
    stage.clock.advance(20)
    assert await stage.says(bearer(stage.provider.token("rsa-1"))) == "hi"
    await refused(stage, bearer(stage.provider.token("ec-3")), INVALID, "unknown signing key")


async def test_a_provider_that_never_answered_is_not_the_callers_fault(
    clock: ManualClock, tmp_path: Path
) -> None:
    async with IdentityProvider("ec-1") as provider:
        provider.down = True
        async with running(tree(provider), tmp_path, clock, {"ADMIN": ADMIN}) as gateway:
            metadata = bearer(provider.token())
            for _ in range(3):
                failed = await failure(gateway.calls.Generate(ask(), metadata=metadata))
                assert failed.code is grpc.StatusCode.UNAVAILABLE
                assert failed.retry_s == 5
            provider.down = False
            clock.advance(11)
            answer = await gateway.calls.Generate(ask("hi"), metadata=metadata)
            assert answer.candidates


async def test_scopes(stage: Stage) -> None:
    _, token = await stage.key(scopes=[pb.SCOPE_FEEDBACK])
    metadata = bearer(token)
    failed = await failure(stage.gateway.calls.Generate(ask(), metadata=metadata))
    assert (failed.reason, failed.metadata["needs"]) == (DENIED, "inference")
    for service, name, scope in (
        ("ModelService", "ListModels", "inference"),
        ("UsageService", "GetUsage", "usage"),
        ("AdminService", "ListApiKeys", "admin"),
        ("AdminService", "ReloadConfig", "admin"),
    ):
        failed = await failure(stage.gateway.method(name, service)(b"", metadata=metadata))
        assert (failed.reason, failed.metadata["needs"]) == (DENIED, scope)
    streaming = stage.gateway.stream_method("StreamGenerate")
    request = ask().SerializeToString()
    assert (await failure(streaming(request, metadata=metadata))).reason == DENIED
    assert (await failure(streaming(request))).reason == MISSING


async def test_who_is_refused_learns_nothing_of_the_request(stage: Stage) -> None:
    """Authentication comes before the body is read."""
    for name in ("Generate", "Embed", "CountTokens"):
        assert (await failure(stage.gateway.method(name)(b"\xff\xff"))).reason == MISSING


async def test_health_tells_everybody_whether_it_serves(stage: Stage) -> None:
    asked = gateway_service_pb2.HealthRequest()
    shown = await stage.gateway.calls.Health(asked)
    assert not shown.version
    assert not shown.providers
    assert (await stage.gateway.calls.Health(asked, metadata=bearer(ADMIN))).providers
    failed = await failure(stage.gateway.calls.Health(asked, metadata=bearer(UNKNOWN)))
    assert failed.reason == INVALID


async def test_models_of_a_key_and_its_tenant_intersect(stage: Stage) -> None:
    wish = pb.PutTenantRequest(tenant=pb.Tenant(id="acme", allowed_models=["d*", "echo"]))
    await stage.admin.PutTenant(wish, metadata=bearer(ADMIN))
    _, token = await stage.key(tenant_id="acme", allowed_models=["echo", "other"])
    metadata = bearer(token)
    assert await stage.says(metadata, "echo") == "hi"
    failed = await failure(stage.gateway.calls.Generate(ask(), metadata=metadata))
    assert (failed.reason, failed.metadata["model"]) == (DENIED, "default")
    listed = await stage.gateway.models.ListModels(
        model_service_pb2.ListModelsRequest(), metadata=metadata
    )
    assert [model.name for model in listed.models] == ["echo"]
    request = model_service_pb2.GetModelRequest(name="default")
    hidden = await failure(stage.gateway.models.GetModel(request, metadata=metadata))
    assert hidden.reason == "MODEL_NOT_FOUND"


async def test_a_limit_of_a_tier(stage: Stage) -> None:
    _, gold = await stage.key(tenant_id="acme")
    _, plain = await stage.key()
    for _ in range(3):
        assert await stage.says(bearer(plain), "slow") == "slow"
    assert await stage.says(bearer(gold), "slow") == "slow"
    again = stage.gateway.calls.Generate(ask(model="slow"), metadata=bearer(stage.provider.token()))
    assert (await failure(again)).reason == "RATE_LIMITED"
    silver = pb.PutTenantRequest(tenant=pb.Tenant(id="acme", tier="silver"))
    await stage.admin.PutTenant(silver, metadata=bearer(ADMIN))
    assert await stage.says(bearer(gold), "slow") == "slow"


async def test_admin_actions_are_in_the_audit_log(stage: Stage) -> None:
    name, _ = await stage.key(tenant_id="acme")
    await failure(
        stage.admin.RevokeApiKey(pb.RevokeApiKeyRequest(id="none"), metadata=bearer(ADMIN))
    )
    shown = [(line["method"], line["by"], line["subject"], line["code"]) for line in stage.audit]
    assert shown == [
        ("PutTenant", "admin_key admin", "tenant acme", "OK"),
        ("CreateApiKey", "admin_key admin", f"key {name}", "OK"),
        ("RevokeApiKey", "admin_key admin", "key none", "NotFound"),
    ]


async def test_a_flood_of_refusals_does_not_flood_the_log(stage: Stage) -> None:
    before = len(stage.audit)
    for _ in range(120):
        await failure(stage.gateway.method("Generate")(b""))
    assert len(stage.audit) == before + 100
    stage.clock.advance(1)
    await failure(stage.gateway.method("Generate")(b""))
    assert stage.audit[-1]["left_out"] == 20
