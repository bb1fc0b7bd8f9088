"""interlingua.v1.AdminService: API keys."""

from __future__ import annotations

import re
from typing import Final

from interlingua.v1 import admin_service_pb2
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.identities import ApiKey, KeyAdmin
from interlingua_gateway.wire.grpc import admin_fields as fields
from interlingua_gateway.wire.grpc.encode import timestamp
from interlingua_gateway.wire.grpc.exchange import Exchange
from interlingua_gateway.wire.grpc.parse import parse

DEFAULT_OVERLAP_S: Final = 86_400.0

_PAGE_TOKEN: Final = re.compile(r"(\d{1,15})\.([0-9a-f]{16})")


class KeyMethods:
    """Makes, lists, rotates and ends keys."""

    def __init__(self, admin: KeyAdmin) -> None:
        self._admin = admin

    async def create_api_key(self, data: bytes, exchange: Exchange) -> bytes:
        """A new key with its secret."""
        pb = parse(admin_service_pb2.CreateApiKeyRequest, data, fields.REQUEST_LIMIT_BYTES)
        wish = ApiKey(
            id="",
            display_name=fields.text_in(pb.display_name, "display_name"),
            tenant=fields.name_in(pb.tenant_id, "tenant_id", needed=False),
            project=fields.name_in(pb.project, "project", needed=False),
            scopes=fields.scopes_in(pb.scopes, "scopes"),
            models=fields.models_in(pb.allowed_models, "allowed_models"),
            created_at_s=0.0,
        )
        ttl_s = fields.seconds_in(pb.ttl, "ttl", least_s=1) if pb.HasField("ttl") else None
        key, token = await self._admin.create_key(wish, ttl_s)
        exchange.subject = f"key {key.id}"
        return admin_service_pb2.CreateApiKeyResponse(
            api_key=_api_key(key), secret=token
        ).SerializeToString()

    async def list_api_keys(self, data: bytes, exchange: Exchange) -> bytes:
        """A page of keys."""
        pb = parse(admin_service_pb2.ListApiKeysRequest, data, fields.REQUEST_LIMIT_BYTES)
        size = fields.page_size(pb.page_size)
        keys = await self._admin.keys(
            tenant=pb.tenant_id,
            ended=pb.include_ended,
            before=_before(pb.page_token),
            limit=size + 1,
        )
        shown = keys[:size]
        return admin_service_pb2.ListApiKeysResponse(
            api_keys=[_api_key(key) for key in shown],
            next_page_token=_page_token(shown[-1]) if len(keys) > size else "",
        ).SerializeToString()

    async def rotate_api_key(self, data: bytes, exchange: Exchange) -> bytes:
        """A key with a new secret."""
        pb = parse(admin_service_pb2.RotateApiKeyRequest, data, fields.REQUEST_LIMIT_BYTES)
        overlap_s = DEFAULT_OVERLAP_S
        if pb.HasField("overlap"):
            overlap_s = fields.seconds_in(pb.overlap, "overlap", least_s=0)
        exchange.subject = f"key {pb.id[:80]}"
        key, token = await self._admin.rotate_key(pb.id, overlap_s)
        return admin_service_pb2.RotateApiKeyResponse(
            api_key=_api_key(key), secret=token
        ).SerializeToString()

    async def revoke_api_key(self, data: bytes, exchange: Exchange) -> bytes:
        """A key that has ended."""
        pb = parse(admin_service_pb2.RevokeApiKeyRequest, data, fields.REQUEST_LIMIT_BYTES)
        exchange.subject = f"key {pb.id[:80]}"
        key = await self._admin.revoke_key(pb.id)
        return admin_service_pb2.RevokeApiKeyResponse(api_key=_api_key(key)).SerializeToString()


def _api_key(key: ApiKey) -> admin_service_pb2.ApiKey:
    ends, ended = key.expires_at_s, key.revoked_at_s
    return admin_service_pb2.ApiKey(
        id=key.id,
        display_name=key.display_name,
        tenant_id=key.tenant,
        project=key.project,
        scopes=fields.shown_scopes(key.scopes),
        allowed_models=key.models,
        created_at=timestamp(key.created_at_s),
        expires_at=None if ends is None else timestamp(ends),
        revoked_at=None if ended is None else timestamp(ended),
    )


def _page_token(key: ApiKey) -> str:
    return f"{round(key.created_at_s * 1000)}.{key.id}"


def _before(token: str) -> tuple[float, str] | None:
    if not token:
        return None
    match = _PAGE_TOKEN.fullmatch(token)
    if match is None:
        raise CallerError.of_field("page_token", "is not one that this gateway gave")
    return int(match[1]) / 1000, match[2]
