"""The conformance runner of the Python client; clients/conformance/README.md has its protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from array import array
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from interlingua import (
    TLS,
    AsyncClient,
    CallOptions,
    EmbedRequest,
    GenerateRequest,
    InterlinguaError,
    ToolCall,
    assistant,
    function_tool,
    image,
    json_schema,
    system,
    tool_result,
    user,
)
from interlingua.requests import generate_request
from interlingua.v1.content_pb2 import Part
from interlingua.v1.generate_pb2 import BatchGenerateRequest, CountTokensRequest

Json = dict[str, Any]
Operation = Callable[["Scenario"], Awaitable[Json]]
_M = TypeVar("_M", bound=Message)
_PARAMETERS = {
    "type": "object",
    "properties": {"animal": {"type": "string"}},
    "required": ["animal"],
}
_ANSWER = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


class Scenario:
    """One entry of the plan, and the client that it is performed with."""

    def __init__(self, entry: Mapping[str, Any], client: AsyncClient, address: str) -> None:
        self.options: Mapping[str, Any] = entry.get("options", {})
        self.client = client
        self.address = address
        self._request = base64.b64decode(entry.get("request", ""))

    def request(self, message: _M) -> _M:
        """The entry's request, read into `message`."""
        message.ParseFromString(self._request)
        return message

    @property
    def call(self) -> CallOptions:
        """The options of the call."""
        milliseconds = self.options.get("deadline_ms")
        return CallOptions(
            timeout_s=None if milliseconds is None else milliseconds / 1000,
            traceparent=self.options.get("traceparent"),
            rpc_metadata=list(self.options.get("metadata", {}).items()),
        )


async def generate(scenario: Scenario) -> Json:
    asked = scenario.client.generate(scenario.request(GenerateRequest()), **scenario.call)
    task = asyncio.ensure_future(asked)
    if (milliseconds := scenario.options.get("cancel_after_ms")) is not None:
        asyncio.get_running_loop().call_later(milliseconds / 1000, task.cancel)
    try:
        result = await task
    except asyncio.CancelledError:
        return {"cancelled": True}
    return {"response": _text(result.raw), "text": result.text}


async def stream(scenario: Scenario) -> Json:
    observed: Json = {"events": [], "text": ""}
    task = asyncio.ensure_future(_read(scenario, observed))
    if (milliseconds := scenario.options.get("cancel_after_ms")) is not None:
        asyncio.get_running_loop().call_later(milliseconds / 1000, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        observed["cancelled"] = True
    except InterlinguaError as error:
        observed["error"] = _error(error)
    return observed


async def _read(scenario: Scenario, observed: Json) -> None:
    leave_after = scenario.options.get("leave_after_events")
    request = scenario.request(GenerateRequest())
    async with scenario.client.stream(request, **scenario.call) as answer:
        async for event in answer:
            observed["events"].append(_text(event))
            if event.candidate_index == 0:
                observed["text"] += event.text_delta
            if len(observed["events"]) == leave_after:
                observed["cancelled"] = True
                break


async def embed(scenario: Scenario) -> Json:
    result = await scenario.client.embed(scenario.request(EmbedRequest()), **scenario.call)
    vectors = [base64.b64encode(array("f", one).tobytes()).decode() for one in result.vectors]
    return {"response": _text(result.raw), "vectors": vectors}


async def batch(scenario: Scenario) -> Json:
    request = scenario.request(BatchGenerateRequest())
    parallel = request.max_parallel if request.HasField("max_parallel") else None
    results = await scenario.client.batch(
        list(request.requests), max_parallel=parallel, **scenario.call
    )
    return {
        "results": [
            {"error": _error(one)}
            if isinstance(one, InterlinguaError)
            else {"response": _text(one.raw)}
            for one in results
        ]
    }


async def count_tokens(scenario: Scenario) -> Json:
    request = scenario.request(CountTokensRequest()).request
    return {"response": _text(await scenario.client.count_tokens(request, **scenario.call))}


async def health(scenario: Scenario) -> Json:
    return {"response": _text(await scenario.client.health(**scenario.call))}


async def list_models(scenario: Scenario) -> Json:
    return {"models": [model.name for model in await scenario.client.models(**scenario.call)]}


async def build(scenario: Scenario) -> Json:
    call = ToolCall(id="call_1", name="lookup", arguments_json='{"animal":"fox"}')
    prompt = [
        system("Be brief."),
        user("What is this? 🦊", image(b"\x89PNG", "image/png", detail="high")),
        user(image("https://example.org/fox.jpg")),
        assistant(Part(tool_call=call)),
        tool_result(call, "Vulpes vulpes"),
    ]
    request = generate_request(
        prompt,
        "any",
        {
            "tools": [function_tool("lookup", "Looks up an animal.", _PARAMETERS)],
            "response_format": json_schema(_ANSWER, "animal", strict=True),
            "temperature": 0.5,
            "max_output_tokens": 100,
        },
    )
    return {"request": _text(request)}


async def watch(scenario: Scenario) -> Json:
    observed: Json = {"statuses": []}
    async with grpc.aio.insecure_channel(scenario.address) as channel:
        method = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            HealthCheckRequest.SerializeToString,
            HealthCheckResponse.FromString,
        )
        try:
            async for answer in method(HealthCheckRequest()):
                observed["statuses"].append(_status(answer))
                if len(observed["statuses"]) == 1:
                    await _pause("watching")
        except grpc.aio.AioRpcError:
            pass
        for _ in range(50):
            try:
                async for answer in method(HealthCheckRequest()):
                    return {**observed, "again": _status(answer)}
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.2)
    return observed


async def restart(scenario: Scenario) -> Json:
    before = await _observed(generate, scenario)
    await _pause("restart")
    return {"before": before, "after": await _observed(generate, scenario)}


async def drain(scenario: Scenario) -> Json:
    request = scenario.request(GenerateRequest())
    answers = [scenario.client.stream(request) for _ in range(scenario.options["streams"])]
    for answer in answers:
        with suppress(InterlinguaError):  # comes up again below
            await anext(answer)
    await _pause("streaming")
    streams: list[Json] = []
    for answer in answers:
        try:
            streams.append({"text": (await answer.collect()).text})
        except InterlinguaError as error:
            streams.append({"error": _error(error)})
    await _pause("drained")
    calls = [await _observed(generate, scenario) for _ in range(scenario.options["calls"])]
    for one in calls:
        one.pop("response", None)
    return {"streams": streams, "calls": calls}


OPERATIONS: Mapping[str, Operation] = {
    "generate": generate,
    "stream": stream,
    "embed": embed,
    "batch": batch,
    "count_tokens": count_tokens,
    "health": health,
    "list_models": list_models,
    "build": build,
    "watch": watch,
    "restart": restart,
    "drain": drain,
}


async def main(address: str, plan: str) -> None:
    async with AsyncClient(address) as client:
        for entry in json.loads(await asyncio.to_thread(Path(plan).read_text))["scenarios"]:
            observed = await _perform(entry, client, address)
            print(json.dumps({"scenario": entry["name"], "observed": observed}), flush=True)


async def _perform(entry: Mapping[str, Any], client: AsyncClient, address: str) -> Json:
    operation = OPERATIONS.get(entry["op"])
    if operation is None:
        return {"crash": "unknown op"}
    options = entry.get("options", {})
    try:
        if "address" not in options:
            return await _repeated(operation, Scenario(entry, client, address))
        async with _own_client(options) as own:
            return await _repeated(operation, Scenario(entry, own, options["address"]))
    except Exception as error:
        return {"crash": repr(error)}


async def _repeated(operation: Operation, scenario: Scenario) -> Json:
    times = 1 if operation is drain else scenario.options.get("calls", 1)
    for _ in range(times - 1):
        await _observed(operation, scenario)
    return await _observed(operation, scenario)


async def _observed(operation: Operation, scenario: Scenario) -> Json:
    try:
        return await operation(scenario)
    except InterlinguaError as error:
        return {"error": _error(error)}


def _own_client(options: Mapping[str, Any]) -> AsyncClient:
    numbers = count(1)
    key = (lambda: f"token-{next(numbers)}") if options.get("token_source") else None
    tls = options.get("tls")
    return AsyncClient(
        options["address"],
        api_key=options.get("api_key") or key,
        tls=tls
        and TLS.from_files(
            tls["ca_file"], tls.get("cert_file"), tls.get("key_file"), tls.get("server_name")
        ),
    )


async def _pause(name: str) -> None:
    print(json.dumps({"pause": name}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def _error(error: InterlinguaError) -> Json:
    delay_s, resource = error.retry_after_s, error.resource
    return {
        "code": error.code.name,
        "reason": error.reason,
        "message": error.message,
        "retry_after_ms": None if delay_s is None else round(delay_s * 1000),
        "violations": [
            {"subject": one.subject, "description": one.description} for one in error.violations
        ],
        "resource": resource and {"type": resource.type, "name": resource.name},
        "metadata": dict(error.metadata),
    }


def _status(answer: HealthCheckResponse) -> str:
    return HealthCheckResponse.ServingStatus.Name(answer.status)


def _text(message: Message) -> str:
    return base64.b64encode(message.SerializeToString()).decode()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
