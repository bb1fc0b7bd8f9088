"""The gateway for asyncio, by the names of the Python client's AsyncClient."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self, Unpack

from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.target import Model
from interlingua_gateway.library.host import Host
from interlingua_gateway.library.options import (
    CallOptions,
    EmbedOptions,
    GenerateOptions,
    Prompt,
    Texts,
)
from interlingua_gateway.library.reports import CostSummary, Health, LlmopsMetrics, Views
from interlingua_gateway.library.requests import refuse_unknown
from interlingua_gateway.library.results import EmbedResult, GenerateResult
from interlingua_gateway.library.stream import AsyncStream
from interlingua_gateway.library.work import batching, begun, embedding, generating


class AsyncGateway:
    """`Gateway.aio`: everything is awaited, on whatever event loop runs.

    Calls raise GatewayError and its children, TypeError for an option that there is not.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._views = Views(host.engine, host.clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends calls, connections and tasks, and brings the ledger's records into its database."""
        await asyncio.to_thread(self._host.close)

    async def generate(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> GenerateResult:
        """See Gateway.generate."""
        return await self._host.finish(generating(self._host, prompt, model, options))

    def stream(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> AsyncStream:
        """See Gateway.stream."""
        return AsyncStream(begun(self._host, prompt, model, options))

    async def embed(
        self, texts: Texts, model: str | None = None, **options: Unpack[EmbedOptions]
    ) -> EmbedResult:
        """See Gateway.embed."""
        return await self._host.finish(embedding(self._host, texts, model, options))

    async def batch(
        self,
        prompts: Sequence[Prompt],
        model: str | None = None,
        *,
        max_parallel: int | None = None,
        **options: Unpack[GenerateOptions],
    ) -> list[GenerateResult | GatewayError]:
        """See Gateway.batch."""
        work = batching(self._host, prompts, model, max_parallel, options)
        return await self._host.finish(work)

    async def models(self, **options: Unpack[CallOptions]) -> list[Model]:
        """See Gateway.models."""
        refuse_unknown(options)
        return await self._host.call_async(lambda: list(self._host.engine.listing.models()))

    async def health(self, provider: str = "", **options: Unpack[CallOptions]) -> Health:
        """See Gateway.health."""
        refuse_unknown(options)
        return await self._host.finish(self._views.health(provider))

    async def get_llmops_metrics(
        self, tenant_id: str | None = None, time_range_hours: float = 24
    ) -> LlmopsMetrics:
        """See Gateway.get_llmops_metrics."""
        return await self._host.finish(self._views.metrics(tenant_id, time_range_hours))

    async def get_cost_summary(
        self, tenant_id: str | None = None, time_range_hours: float = 24
    ) -> CostSummary:
        """See Gateway.get_cost_summary."""
        return await self._host.finish(self._views.costs(tenant_id, time_range_hours))
