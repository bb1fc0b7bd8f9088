"""interlingua.v1.AdminService: InvalidateCache and ReloadConfig."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from interlingua.v1 import admin_service_pb2
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.ports import Blobs
from interlingua_gateway.core.reload import Reload
from interlingua_gateway.core.types import Request
from interlingua_gateway.wire.grpc.decode import decode_generate
from interlingua_gateway.wire.grpc.exchange import Exchange
from interlingua_gateway.wire.grpc.parse import parse

Digest: TypeAlias = Callable[[Request], str]
"""What a request is called in the labels of kept answers."""


class AdminMethods:
    """Methods that change the gateway itself."""

    def __init__(
        self, blobs: Blobs, digest: Digest, reload: Reload, *, max_request_bytes: int
    ) -> None:
        self._blobs = blobs
        self._digest = digest
        self._reload = reload
        self._max_request_bytes = max_request_bytes

    async def invalidate_cache(self, data: bytes, exchange: Exchange) -> bytes:
        """Remove kept answers; how many there were."""
        pb = parse(admin_service_pb2.InvalidateCacheRequest, data, self._max_request_bytes)
        label = self._label(pb)
        exchange.subject = label
        removed = await self._blobs.remove(label)
        return admin_service_pb2.InvalidateCacheResponse(removed=removed).SerializeToString()

    async def reload_config(self, data: bytes, exchange: Exchange) -> bytes:
        """Read the configuration again, and put it in force unless it is only to be checked."""
        pb = parse(admin_service_pb2.ReloadConfigRequest, data, self._max_request_bytes)
        exchange.subject = "dry_run" if pb.dry_run else "configuration"
        reloaded = await self._reload(dry_run=pb.dry_run)
        exchange.subject += f":{reloaded.former}->{reloaded.digest}"
        return admin_service_pb2.ReloadConfigResponse(
            configuration_digest=reloaded.digest, changes=reloaded.changes
        ).SerializeToString()

    def _label(self, pb: admin_service_pb2.InvalidateCacheRequest) -> str:
        selector = pb.WhichOneof("selector")
        if selector == "request":
            return f"request:{self._digest(decode_generate(pb.request))}"
        if selector == "tenant_id":  # empty for callers of whom no tenant is known
            return f"tenant:{pb.tenant_id}"
        if selector is None:
            raise CallerError.of_field("selector", "must be set")
        value = {"operation_id": pb.operation_id, "model": pb.model, "tag": pb.tag}[selector]
        if not value:
            raise CallerError.of_field(selector, "must not be empty")
        return f"{selector.removesuffix('_id')}:{value}"
