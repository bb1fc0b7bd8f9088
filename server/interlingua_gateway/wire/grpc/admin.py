"""interlingua.v1.AdminService: so far InvalidateCache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from interlingua.v1 import admin_service_pb2
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.ports import Blobs
from interlingua_gateway.core.types import Request
from interlingua_gateway.wire.grpc.decode import decode_generate
from interlingua_gateway.wire.grpc.exchange import Exchange
from interlingua_gateway.wire.grpc.parse import parse

Digest: TypeAlias = Callable[[Request], str]
"""What a request is called in the labels of kept answers."""


class AdminMethods:
    """Methods that change the gateway.

    There is no authentication yet, so they are served only where the configuration says that
    whoever reaches the gateway may use them.
    """

    def __init__(
        self, blobs: Blobs, digest: Digest, *, unauthenticated: bool, max_request_bytes: int
    ) -> None:
        self._blobs = blobs
        self._digest = digest
        self._unauthenticated = unauthenticated
        self._max_request_bytes = max_request_bytes

    async def invalidate_cache(self, data: bytes, exchange: Exchange) -> bytes:
        """Remove kept answers; how many there were."""
        self._admit(exchange)
        pb = parse(admin_service_pb2.InvalidateCacheRequest, data, self._max_request_bytes)
        removed = await self._blobs.remove(self._label(pb))
        return admin_service_pb2.InvalidateCacheResponse(removed=removed).SerializeToString()

    def _admit(self, exchange: Exchange) -> None:
        if not self._unauthenticated:
            raise CallerError(
                Reason.NOT_IMPLEMENTED,
                f"This gateway does not serve {exchange.method}: admin.unauthenticated is off.",
                metadata={"method": exchange.method},
            )

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
