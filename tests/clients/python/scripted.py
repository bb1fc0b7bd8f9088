"""A gateway that answers what a test tells it to, on a real socket."""

# ruff: noqa: N802

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn

import grpc
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from interlingua.v1 import embed_pb2, gateway_service_pb2, generate_pb2, model_service_pb2
from interlingua.v1.gateway_service_pb2_grpc import (
    GatewayServiceServicer,
    add_GatewayServiceServicer_to_server,
)
from interlingua.v1.model_service_pb2_grpc import (
    ModelServiceServicer,
    add_ModelServiceServicer_to_server,
)

Events = Iterator[generate_pb2.StreamGenerateResponse]


class Script:
    """What the gateway does, and what it has seen."""

    def __init__(self) -> None:
        self.generate: Callable[..., generate_pb2.GenerateResponse] = lambda *_: answer("hello")
        self.stream: Callable[..., Events] = lambda *_: iter(events(delta("hello"), completed()))
        self.embed: Callable[..., embed_pb2.EmbedResponse]
        self.batch: Callable[..., Iterator[generate_pb2.BatchGenerateResponse]]
        self.requests: list[Message] = []
        self.metadata: dict[str, str | bytes] = {}
        self.time_remaining_s = 0.0
        self.over = threading.Event()
        """Set when a call has ended; one that holds ends only by a cancel or its deadline."""

    def see(self, request: Message, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        self.metadata = dict(context.invocation_metadata())
        self.time_remaining_s = context.time_remaining() or 0.0
        if not context.add_callback(self.over.set):
            self.over.set()

    def hold(self) -> None:
        """Blocks the handler until its call is cancelled from the other side."""
        assert self.over.wait(10)


class Gateway(GatewayServiceServicer, ModelServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def Generate(self, request, context):
        self.script.see(request, context)
        return self.script.generate(request, context)

    def StreamGenerate(self, request, context):
        self.script.see(request, context)
        yield from self.script.stream(request, context)

    def Embed(self, request, context):
        self.script.see(request, context)
        return self.script.embed(request, context)

    def BatchGenerate(self, request, context):
        self.script.see(request, context)
        yield from self.script.batch(request, context)

    def CountTokens(self, request, context):
        self.script.see(request, context)
        return generate_pb2.CountTokensResponse(input_tokens=7, estimated=True)

    def Health(self, request, context):
        self.script.see(request, context)
        healthy = gateway_service_pb2.HEALTH_STATUS_HEALTHY
        return gateway_service_pb2.HealthResponse(status=healthy, version=request.provider)

    def ListModels(self, request, context):
        self.script.see(request, context)
        page = int(request.page_token or 0)
        models = [model_service_pb2.Model(name=f"model-{page}")]
        following = str(page + 1) if page < 2 else ""
        return model_service_pb2.ListModelsResponse(models=models, next_page_token=following)

    def GetModel(self, request, context):
        self.script.see(request, context)
        if request.name != "known":
            fail(context, "NOT_FOUND", "no such model", info("MODEL_NOT_FOUND"), resource())
        model = model_service_pb2.Model(name=request.name, context_window_tokens=4096)
        return model_service_pb2.GetModelResponse(model=model)


@contextmanager
def serve(script: Script, address: str, credentials: grpc.ServerCredentials | None = None):
    """Serves the script at `address`; gives the port."""
    with ThreadPoolExecutor(8) as threads:
        server = grpc.server(threads, options=[("grpc.so_reuseport", 0)])
        add_GatewayServiceServicer_to_server(Gateway(script), server)
        add_ModelServiceServicer_to_server(Gateway(script), server)
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
        server.start()
        try:
            yield port
        finally:
            server.stop(0).wait(10)


def answer(text: str) -> generate_pb2.GenerateResponse:
    response = generate_pb2.GenerateResponse(operation_id="op")
    candidate = response.candidates.add()
    candidate.parts.add(text=text)
    candidate.finish.reason = generate_pb2.FINISH_REASON_STOP
    return response


def delta(text: str, candidate_index: int = 0) -> generate_pb2.StreamGenerateResponse:
    return generate_pb2.StreamGenerateResponse(candidate_index=candidate_index, text_delta=text)


def completed(**fields: object) -> generate_pb2.StreamGenerateResponse:
    whole = generate_pb2.StreamCompleted(**fields)
    return generate_pb2.StreamGenerateResponse(completed=whole)


def events(
    *given: generate_pb2.StreamGenerateResponse,
) -> list[generate_pb2.StreamGenerateResponse]:
    """The given events, numbered."""
    for number, event in enumerate(given):
        event.sequence = number
    return list(given)


def info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    name = f"ERROR_REASON_{reason}"
    return error_details_pb2.ErrorInfo(reason=name, domain="interlingua", metadata=metadata)


def resource() -> error_details_pb2.ResourceInfo:
    return error_details_pb2.ResourceInfo(resource_type="model", resource_name="gpt-5o")


def status(code: str, message: str, *details: Message) -> status_pb2.Status:
    made = status_pb2.Status(code=code_pb2.Code.Value(code), message=message)
    for detail in details:
        made.details.add().Pack(detail)
    return made


def fail(context: grpc.ServicerContext, code: str, message: str, *details: Message) -> NoReturn:
    """Ends the call with a status and its details; whoever tries again need not wait long."""
    packed = status(code, message, *details).SerializeToString()
    context.set_trailing_metadata(
        (("grpc-status-details-bin", packed), ("grpc-retry-pushback-ms", "1"))
    )
    context.abort(grpc.StatusCode[code], message)
