"""The client for asyncio."""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack
from weakref import WeakSet

import grpc.aio

from interlingua.access import AsyncAccess
from interlingua.aio_stream import AsyncStream, local_cancel, task_is_cancelled
from interlingua.endpoint import TLS, ApiKey, Endpoint
from interlingua.errors import InterlinguaError, from_rpc_error
from interlingua.messages import Prompt
from interlingua.reports import AsyncReports
from interlingua.requests import (
    CallOptions,
    EmbedOptions,
    GenerateOptions,
    Texts,
    embed_request,
    generate_request,
)
from interlingua.results import EmbedResult, GenerateResult, batch_results
from interlingua.v1.admin_service_pb2 import (
    Budget,
    DeleteBudgetRequest,
    InvalidateCacheRequest,
    ListBudgetsRequest,
    PutBudgetRequest,
    ReloadConfigRequest,
    ReloadConfigResponse,
)
from interlingua.v1.admin_service_pb2_grpc import AdminServiceStub
from interlingua.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from interlingua.v1.gateway_service_pb2 import HealthRequest, HealthResponse
from interlingua.v1.gateway_service_pb2_grpc import GatewayServiceStub
from interlingua.v1.generate_pb2 import (
    BatchGenerateRequest,
    BatchGenerateResponse,
    CountTokensRequest,
    CountTokensResponse,
)
from interlingua.v1.model_service_pb2 import GetModelRequest, ListModelsRequest, Model
from interlingua.v1.model_service_pb2_grpc import ModelServiceStub
from interlingua.v1.usage_service_pb2_grpc import UsageServiceStub

if TYPE_CHECKING:
    from interlingua.v1.admin_service_pb2_grpc import AdminServiceAsyncStub
    from interlingua.v1.feedback_service_pb2_grpc import FeedbackServiceAsyncStub
    from interlingua.v1.gateway_service_pb2_grpc import GatewayServiceAsyncStub
    from interlingua.v1.model_service_pb2_grpc import ModelServiceAsyncStub
    from interlingua.v1.usage_service_pb2_grpc import UsageServiceAsyncStub

_Req = TypeVar("_Req")
_Res = TypeVar("_Res")


class AsyncClient:
    """A connection to a gateway, for asyncio; `interlingua.Client` with awaitable calls.

    It may be made anywhere; it connects at its first use and belongs to the loop that runs then.

    `address` is `host:port`, `unix:/path` or another gRPC target; without it the environment's
    INTERLINGUA_ADDRESS counts, then 127.0.0.1:50051. `api_key` is sent as a bearer token;
    a function is asked for it at every call. `tls` is True for TLS with the usual roots or says
    more. `timeout_s` bounds each call, in seconds, that does not name its own.

    Calls raise InterlinguaError and its children, TypeError or ValueError for arguments that the
    contract cannot hold. Cancelling the task that waits for a call cancels the call.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        api_key: ApiKey | None = None,
        tls: TLS | bool | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._endpoint = Endpoint(address, api_key, tls, timeout_s)
        self._streams: WeakSet[AsyncStream] = WeakSet()

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
        """Ends the connection and cancels what still runs on it."""
        for stream in list(self._streams):  # older grpcio forgets those that nobody reads
            await stream.aclose()
        await self._channel.close()

    async def generate(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> GenerateResult:
        """Answers a text, a conversation or a whole request, when the model has finished.

        `model` is an alias of the gateway; without it the gateway's `default` answers.
        """
        request = generate_request(prompt, model, options)
        method = self._gateway.Generate
        return GenerateResult(await self._call(method, "Generate", request, options))

    def stream(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> AsyncStream:
        """Answers like `generate`, event by event. Use it in `async with`, or close it."""
        request = generate_request(prompt, model, options)
        stream = AsyncStream(
            self._gateway.StreamGenerate(
                request,
                timeout=self._endpoint.timeout_s("StreamGenerate", options),
                metadata=self._endpoint.metadata(options),
            )
        )
        self._streams.add(stream)
        return stream

    async def embed(
        self, texts: Texts, model: str | None = None, **options: Unpack[EmbedOptions]
    ) -> EmbedResult:
        """Turns texts, sequences of token ids, or the inputs of a whole request into vectors, one
        for each, in their order.
        """
        request = embed_request(texts, model, options)
        return EmbedResult(await self._call(self._gateway.Embed, "Embed", request, options))

    async def batch(
        self,
        prompts: Sequence[Prompt],
        model: str | None = None,
        *,
        max_parallel: int | None = None,
        **options: Unpack[GenerateOptions],
    ) -> list[GenerateResult | InterlinguaError]:
        """Answers several prompts, in their order; what failed is an exception in its place.

        `options` hold for each of them; at most `max_parallel` run at the same time. Raises only
        if the batch failed before its first result.
        """
        requests = [generate_request(prompt, model, options) for prompt in prompts]
        call = self._gateway.BatchGenerate(
            BatchGenerateRequest(requests=requests, max_parallel=max_parallel),
            timeout=self._endpoint.timeout_s("BatchGenerate", options),
            metadata=self._endpoint.metadata(options),
        )
        arrived: list[BatchGenerateResponse] = []
        failure: InterlinguaError | None = None
        try:
            async for result in call:
                arrived.append(result)
        except grpc.RpcError as error:
            failure = from_rpc_error(error)
        except asyncio.CancelledError:
            if task_is_cancelled():
                raise
            failure = local_cancel()
        return batch_results(len(requests), arrived, failure)

    async def count_tokens(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> CountTokensResponse:
        """Counts the input tokens that `generate` would have with the same arguments."""
        request = CountTokensRequest(request=generate_request(prompt, model, options))
        return await self._call(self._gateway.CountTokens, "CountTokens", request, options)

    async def models(self, **options: Unpack[CallOptions]) -> list[Model]:
        """Every model that you may name, by name; the timeout holds for each page of them."""
        found: list[Model] = []
        request = ListModelsRequest()
        while True:
            page = await self._call(self._models.ListModels, "ListModels", request, options)
            found.extend(page.models)
            if not page.next_page_token:
                return found
            request = ListModelsRequest(page_token=page.next_page_token)

    async def model(self, name: str, **options: Unpack[CallOptions]) -> Model:
        """One model. Raises NotFoundError if there is none of that name."""
        request = GetModelRequest(name=name)
        return (await self._call(self._models.GetModel, "GetModel", request, options)).model

    async def health(self, provider: str = "", **options: Unpack[CallOptions]) -> HealthResponse:
        """How the gateway and its providers, or only `provider`, are."""
        request = HealthRequest(provider=provider)
        return await self._call(self._gateway.Health, "Health", request, options)

    async def invalidate_cache(
        self, request: InvalidateCacheRequest, **options: Unpack[CallOptions]
    ) -> int:
        """Removes the answers that `request` selects from the cache; returns how many."""
        method = self._admin.InvalidateCache
        return (await self._call(method, "InvalidateCache", request, options)).removed

    async def reload_config(
        self, *, dry_run: bool = False, **options: Unpack[CallOptions]
    ) -> ReloadConfigResponse:
        """Has the gateway read its configuration again; returns its digest and what changed."""
        request = ReloadConfigRequest(dry_run=dry_run)
        return await self._call(self._admin.ReloadConfig, "ReloadConfig", request, options)

    async def put_budget(self, budget: Budget, **options: Unpack[CallOptions]) -> Budget:
        """Makes `budget` or replaces the one of its id; returns it with what is spent of it."""
        request = PutBudgetRequest(budget=budget)
        return (await self._call(self._admin.PutBudget, "PutBudget", request, options)).budget

    async def budgets(self, tenant: str = "", **options: Unpack[CallOptions]) -> list[Budget]:
        """Every budget, or those of `tenant`, by id; the timeout holds for each page of them."""
        found: list[Budget] = []
        request = ListBudgetsRequest(tenant_id=tenant)
        while True:
            page = await self._call(self._admin.ListBudgets, "ListBudgets", request, options)
            found.extend(page.budgets)
            if not page.next_page_token:
                return found
            request = ListBudgetsRequest(tenant_id=tenant, page_token=page.next_page_token)

    async def delete_budget(self, budget: str, **options: Unpack[CallOptions]) -> None:
        """Ends the budget of that id. Raises NotFoundError if there is none."""
        request = DeleteBudgetRequest(id=budget)
        await self._call(self._admin.DeleteBudget, "DeleteBudget", request, options)

    @property
    def access(self) -> AsyncAccess:
        """Keys and tenants."""
        return AsyncAccess(self._admin, self._call)

    @property
    def reports(self) -> AsyncReports:
        """Usage, operations, costs and feedback."""
        return AsyncReports(self._usage, self._feedback, self._call)

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        credentials, options = self._endpoint.credentials, self._endpoint.options
        if credentials is None:
            return grpc.aio.insecure_channel(self._endpoint.address, options)
        return grpc.aio.secure_channel(self._endpoint.address, credentials, options)

    @cached_property
    def _gateway(self) -> "GatewayServiceAsyncStub":
        return GatewayServiceStub(self._channel)

    @cached_property
    def _models(self) -> "ModelServiceAsyncStub":
        return ModelServiceStub(self._channel)

    @cached_property
    def _admin(self) -> "AdminServiceAsyncStub":
        return AdminServiceStub(self._channel)

    @cached_property
    def _usage(self) -> "UsageServiceAsyncStub":
        return UsageServiceStub(self._channel)

    @cached_property
    def _feedback(self) -> "FeedbackServiceAsyncStub":
        return FeedbackServiceStub(self._channel)

    async def _call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[_Req, _Res],
        name: str,
        request: _Req,
        options: CallOptions,
    ) -> _Res:
        timeout_s = self._endpoint.timeout_s(name, options)
        metadata = self._endpoint.metadata(options)
        try:
            return await method(request, timeout=timeout_s, metadata=metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        except asyncio.CancelledError:
            if task_is_cancelled():
                raise
            raise local_cancel() from None
