"""A gateway that asks for credentials, an identity provider, and what a refusal must look like."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import grpc

from interlingua.v1 import admin_service_pb2 as pb
from interlingua.v1 import admin_service_pb2_grpc
from tests.support.failures import failure
from tests.support.gateway import Running, running, scripted
from tests.support.identity_provider import IdentityProvider
from tests.support.manual_clock import ManualClock
from tests.support.requests import ask

ADMIN: Final = "adm-canary-0123456789abcdef0123456789abcdef"
UNKNOWN: Final = "il_00000000000000aa_" + "y" * 43
MISSING, INVALID, DENIED = "CREDENTIALS_MISSING", "CREDENTIALS_INVALID", "PERMISSION_DENIED"
CODES: Final = {
    MISSING: grpc.StatusCode.UNAUTHENTICATED,
    INVALID: grpc.StatusCode.UNAUTHENTICATED,
    DENIED: grpc.StatusCode.PERMISSION_DENIED,
}

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    """The metadata of a call with `token`."""
    return (("authorization", f"Bearer {token}"),)


class Stage(NamedTuple):
    """A gateway where admins and others need credentials, and who may issue them."""

    gateway: Running
    provider: IdentityProvider
    clock: ManualClock

    @property
    def admin(self) -> admin_service_pb2_grpc.AdminServiceStub:
        return admin_service_pb2_grpc.AdminServiceStub(self.gateway.channel)

    async def key(self, **fields: object) -> tuple[str, str]:
        """Id and token of a new key."""
        request = pb.CreateApiKeyRequest(**fields)
        made = await self.admin.CreateApiKey(request, metadata=bearer(ADMIN))
        return made.api_key.id, made.secret

    async def says(self, metadata: object, model: str = "") -> str:
        """What the echo says to a caller with `metadata`."""
        answer = await self.gateway.calls.Generate(ask("hi", model), metadata=metadata)
        return answer.candidates[0].parts[0].text

    @property
    def audit(self) -> list[dict[str, object]]:
        return [line for line in self.gateway.log_lines if line["logger"] == "interlingua.audit"]


def tree(provider: IdentityProvider) -> dict[str, object]:
    return {
        **scripted(slow=[{"do": "say", "text": "slow"}]),
        "limits": {
            "rules": [
                {
                    "name": "gold",
                    "tiers": ["gold"],
                    "models": ["slow"],
                    "requests_per_minute": 1,
                }
            ]
        },
        "auth": {
            "admin_key": "env:ADMIN",
            "anonymous": [],
            "jwt": [
                {
                    "issuer": provider.issuer,
                    "audiences": ["interlingua"],
                    "claims": {"tenant": "org.id", "scopes": "scope"},
                    "tenants": ["acme"],
                    "scopes": ["inference", "usage"],
                    "scope_prefix": "llm:",
                }
            ],
        },
    }


@asynccontextmanager
async def staged(directory: Path, clock: ManualClock) -> AsyncIterator[Stage]:
    """A gateway with the tenant `acme`, whose issuer publishes three good keys and two others."""
    async with IdentityProvider("ec-1", "rsa-1", "ed-1") as provider:
        provider.extra = ["nonsense", {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}]
        async with running(tree(provider), directory, clock, {"ADMIN": ADMIN}) as gateway:
            stage = Stage(gateway, provider, clock)
            request = pb.PutTenantRequest(tenant=pb.Tenant(id="acme", tier="gold"))
            await stage.admin.PutTenant(request, metadata=bearer(ADMIN))
            yield stage


async def refused(stage: Stage, metadata: Metadata, reason: str, why: str, key: str = "") -> str:
    """The call with `metadata` is refused, and leaves one line in the audit log, with no secret in
    it or in what the caller is told; the message for the caller."""
    before = len(stage.audit)
    failed = await failure(stage.gateway.calls.Generate(ask("hi"), metadata=metadata))
    assert (failed.code, failed.reason) == (CODES[reason], reason)
    assert failed.retry_s is None
    lines = stage.audit[before:]
    assert [(line["reason"], line["why"], line["key"]) for line in lines] == [(reason, why, key)]
    assert lines[0]["method"] == "Generate"
    assert lines[0]["operation_id"] == failed.metadata["operation_id"]
    for _, value in metadata:
        secret = value.rpartition(" ")[2].rpartition("_")[2].rpartition(".")[2]
        if len(secret) > 8:
            assert secret not in stage.gateway.log
            assert secret not in failed.message
    return failed.message
