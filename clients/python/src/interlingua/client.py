"""The blocking client."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc

from interlingua.access import Access
from interlingua.endpoint import TLS, ApiKey, Endpoint
from interlingua.errors import InterlinguaError, from_rpc_error
from interlingua.messages import Prompt
from interlingua.reports import Reports
from interlingua.requests import (
    CallOptions,
    EmbedOptions,
    GenerateOptions,
    Texts,
    embed_request,
    generate_request,
)
from interlingua.results import EmbedResult, GenerateResult, batch_results
from interlingua.stream import Stream
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

_Req = TypeVar("_Req")
_Res = TypeVar("_Res")


class Client:
    """A connection to a gateway, for threads. One client serves any number of threads.

    `address` is `host:port`, `unix:/path` or another gRPC target; without it the environment's
    INTERLINGUA_ADDRESS counts, then 127.0.0.1:50051. `api_key` is sent as a bearer token;
    a function is asked for it at every call. `tls` is True for TLS with the usual roots or says
    more. `timeout_s` bounds each call, in seconds, that does not name its own.

    Calls raise InterlinguaError and its children, TypeError or ValueError for arguments that the
    contract cannot hold.
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
        credentials, options = self._endpoint.credentials, self._endpoint.options
        if credentials is None:
            self._channel = grpc.insecure_channel(self._endpoint.address, options)
        else:
            self._channel = grpc.secure_channel(self._endpoint.address, credentials, options)
        self._gateway = GatewayServiceStub(self._channel)
        self._models = ModelServiceStub(self._channel)
        self._admin = AdminServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection and cancels what still runs on it."""
        self._channel.close()

    def generate(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> GenerateResult:
        """Answers a text, a conversation or a whole request, when the model has finished.

        `model` is an alias of the gateway; without it the gateway's `default` answers.
        """
        request = generate_request(prompt, model, options)
        return GenerateResult(self._call(self._gateway.Generate, "Generate", request, options))

    def stream(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> Stream:
        """Answers like `generate`, event by event. Close the stream, or use it in `with`."""
        request = generate_request(prompt, model, options)
        return Stream(
            self._gateway.StreamGenerate(
                request,
                timeout=self._endpoint.timeout_s("StreamGenerate", options),
                metadata=self._endpoint.metadata(options),
            )
        )

    def embed(
        self, texts: Texts, model: str | None = None, **options: Unpack[EmbedOptions]
    ) -> EmbedResult:
        """Turns texts, sequences of token ids, or the inputs of a whole request into vectors, one
        for each, in their order.
        """
        request = embed_request(texts, model, options)
        return EmbedResult(self._call(self._gateway.Embed, "Embed", request, options))

    def batch(
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
        arrived: list[BatchGenerateResponse] = []
        failure = None
        try:
            arrived.extend(
                self._gateway.BatchGenerate(
                    BatchGenerateRequest(requests=requests, max_parallel=max_parallel),
                    timeout=self._endpoint.timeout_s("BatchGenerate", options),
                    metadata=self._endpoint.metadata(options),
                )
            )
        except grpc.RpcError as error:
            failure = from_rpc_error(error)
        return batch_results(len(requests), arrived, failure)

    def count_tokens(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> CountTokensResponse:
        """Counts the input tokens that `generate` would have with the same arguments."""
        request = CountTokensRequest(request=generate_request(prompt, model, options))
        return self._call(self._gateway.CountTokens, "CountTokens", request, options)

    def models(self, **options: Unpack[CallOptions]) -> list[Model]:
        """Every model that you may name, by name; the timeout holds for each page of them."""
        found: list[Model] = []
        request = ListModelsRequest()
        while True:
            page = self._call(self._models.ListModels, "ListModels", request, options)
            found.extend(page.models)
            if not page.next_page_token:
                return found
            request = ListModelsRequest(page_token=page.next_page_token)

    def model(self, name: str, **options: Unpack[CallOptions]) -> Model:
        """One model. Raises NotFoundError if there is none of that name."""
        request = GetModelRequest(name=name)
        return self._call(self._models.GetModel, "GetModel", request, options).model

    def health(self, provider: str = "", **options: Unpack[CallOptions]) -> HealthResponse:
        """How the gateway and its providers, or only `provider`, are."""
        request = HealthRequest(provider=provider)
        return self._call(self._gateway.Health, "Health", request, options)

    def invalidate_cache(
        self, request: InvalidateCacheRequest, **options: Unpack[CallOptions]
    ) -> int:
        """Removes the answers that `request` selects from the cache; returns how many."""
        method = self._admin.InvalidateCache
        return self._call(method, "InvalidateCache", request, options).removed

    def reload_config(
        self, *, dry_run: bool = False, **options: Unpack[CallOptions]
    ) -> ReloadConfigResponse:
        """Has the gateway read its configuration again; returns its digest and what changed."""
        request = ReloadConfigRequest(dry_run=dry_run)
        return self._call(self._admin.ReloadConfig, "ReloadConfig", request, options)

    def put_budget(self, budget: Budget, **options: Unpack[CallOptions]) -> Budget:
        """Makes `budget` or replaces the one of its id; returns it with what is spent of it."""
        request = PutBudgetRequest(budget=budget)
        return self._call(self._admin.PutBudget, "PutBudget", request, options).budget

    def budgets(self, tenant: str = "", **options: Unpack[CallOptions]) -> list[Budget]:
        """Every budget, or those of `tenant`, by id; the timeout holds for each page of them."""
        found: list[Budget] = []
        request = ListBudgetsRequest(tenant_id=tenant)
        while True:
            page = self._call(self._admin.ListBudgets, "ListBudgets", request, options)
            found.extend(page.budgets)
            if not page.next_page_token:
                return found
            request = ListBudgetsRequest(tenant_id=tenant, page_token=page.next_page_token)

    def delete_budget(self, budget: str, **options: Unpack[CallOptions]) -> None:
        """Ends the budget of that id. Raises NotFoundError if there is none."""
        request = DeleteBudgetRequest(id=budget)
        self._call(self._admin.DeleteBudget, "DeleteBudget", request, options)

    @property
    def access(self) -> Access:
        """Keys and tenants."""
        return Access(self._admin, self._call)

    @property
    def reports(self) -> Reports:
        """Usage, operations, costs and feedback."""
        usage, feedback = UsageServiceStub(self._channel), FeedbackServiceStub(self._channel)
        return Reports(usage, feedback, self._call)

    def _call(
        self,
        method: "grpc.UnaryUnaryMultiCallable[_Req, _Res]",
        name: str,
        request: _Req,
        options: CallOptions,
    ) -> _Res:
        timeout_s = self._endpoint.timeout_s(name, options)
        try:
            return method(request, timeout=timeout_s, metadata=self._endpoint.metadata(options))
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
