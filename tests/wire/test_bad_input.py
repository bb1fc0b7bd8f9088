"""What is wrong with a request is told by field, and nothing of it reaches an upstream."""

from __future__ import annotations

import grpc
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

from interlingua.v1 import content_pb2 as content
from interlingua.v1 import embed_pb2, generate_pb2
from tests.support.failures import failure, failure_of
from tests.support.gateway import openai, running
from tests.support.requests import ask, embed, message
from tests.support.upstream import Upstream, always, whole

Part, Media, Role = content.Part, content.Media, content.Role
Request, Sampling = generate_pb2.GenerateRequest, generate_pb2.SamplingOptions
Tool = content.Tool
SCHEMA = '{"type": "object"}'


def says(*parts: Part, role: int = content.ROLE_USER) -> Request:
    return Request(messages=[content.Message(role=role, parts=parts)])


def sampling(**values: object) -> Request:
    return ask(sampling=Sampling(**values))


def result(*parts: Part, **fields: object) -> Part:
    return Part(tool_result=content.ToolResult(parts=parts, **fields))


def schema(text: str, name: str = "answer") -> Request:
    form = content.JsonSchemaFormat(name=name, schema_json=text)
    return ask(response_format=content.ResponseFormat(json_schema=form))


def wish(**fields: object) -> Request:
    return ask(routing=generate_pb2.RoutingOptions(**fields))


GENERATE = {
    "no messages": (Request(), "messages"),
    "no role": (Request(messages=[content.Message(parts=[Part(text="x")])]), "messages[0].role"),
    "unknown role": (says(Part(text="x"), role=99), "messages[0].role"),
    "no parts": (says(), "messages[0].parts"),
    "no content": (says(Part(text="x"), Part()), "messages[0].parts[1]"),
    "second message": (
        Request(messages=[message("a"), content.Message(role=content.ROLE_USER)]),
        "messages[1].parts",
    ),
    "tool result of a user": (
        says(result(Part(text="x"), tool_call_id="1")),
        "messages[0].parts[0].tool_result",
    ),
    "text of a tool": (says(Part(text="x"), role=content.ROLE_TOOL), "messages[0].parts[0].text"),
    "image of the system": (
        says(Part(image=Media(uri="https://a/b.png")), role=content.ROLE_SYSTEM),
        "messages[0].parts[0].image",
    ),
    "tool call of a user": (
        says(Part(tool_call=content.ToolCall(id="1", name="f"))),
        "messages[0].parts[0].tool_call",
    ),
    "reasoning of a user": (
        says(Part(reasoning=content.Reasoning(text="x"))),
        "messages[0].parts[0].reasoning",
    ),
    "tool call without an id": (
        says(Part(tool_call=content.ToolCall(name="f")), role=content.ROLE_ASSISTANT),
        "messages[0].parts[0].tool_call.id",
    ),
    "tool call without a name": (
        says(Part(tool_call=content.ToolCall(id="1")), role=content.ROLE_ASSISTANT),
        "messages[0].parts[0].tool_call.name",
    ),
    "tool result of no call": (
        says(result(Part(text="x")), role=content.ROLE_TOOL),
        "messages[0].parts[0].tool_result.tool_call_id",
    ),
    "tool result in a tool result": (
        says(result(result(tool_call_id="2"), tool_call_id="1"), role=content.ROLE_TOOL),
        "messages[0].parts[0].tool_result.parts[0].tool_result",
    ),
    "media of neither form": (says(Part(image=Media())), "messages[0].parts[0].image"),
    "media without bytes": (
        says(Part(image=Media(mime_type="image/png", data=b""))),
        "messages[0].parts[0].image.data",
    ),
    "media without a type": (
        says(Part(audio=Media(data=b"x"))),
        "messages[0].parts[0].audio.mime_type",
    ),
    "media at no address": (
        says(Part(file=Media(uri="a.pdf"))),
        "messages[0].parts[0].file.uri",
    ),
    "unknown detail": (
        says(Part(image=Media(uri="https://a/b", detail=9))),
        "messages[0].parts[0].image.detail",
    ),
    "negative temperature": (sampling(temperature=-0.1), "sampling.temperature"),
    "endless temperature": (sampling(temperature=float("inf")), "sampling.temperature"),
    "no number": (sampling(temperature=float("nan")), "sampling.temperature"),
    "top_p above one": (sampling(top_p=1.5), "sampling.top_p"),
    "min_p below zero": (sampling(min_p=-1), "sampling.min_p"),
    "top_k of zero": (sampling(top_k=0), "sampling.top_k"),
    "no output": (sampling(max_output_tokens=0), "sampling.max_output_tokens"),
    "output of a negative number": (
        sampling(max_output_tokens=2**32 - 1),
        "sampling.max_output_tokens",
    ),
    "penalty": (sampling(presence_penalty=3), "sampling.presence_penalty"),
    "frequency penalty": (sampling(frequency_penalty=-3), "sampling.frequency_penalty"),
    "empty stop sequence": (sampling(stop_sequences=["a", ""]), "sampling.stop_sequences[1]"),
    "bias": (sampling(logit_bias={7: 101.0}), "sampling.logit_bias[7]"),
    "no candidates": (sampling(candidate_count=0), "sampling.candidate_count"),
    "many candidates": (sampling(candidate_count=129), "sampling.candidate_count"),
    "top_logprobs alone": (sampling(top_logprobs=2), "sampling.top_logprobs"),
    "top_logprobs without logprobs": (
        sampling(logprobs=False, top_logprobs=2),
        "sampling.top_logprobs",
    ),
    "many top_logprobs": (sampling(logprobs=True, top_logprobs=21), "sampling.top_logprobs"),
    "tool without a name": (ask(tools=[Tool()]), "tools[0].name"),
    "tool of a bad name": (ask(tools=[Tool(name="a b")]), "tools[0].name"),
    "tool of a long name": (ask(tools=[Tool(name="a" * 65)]), "tools[0].name"),
    "tools of one name": (ask(tools=[Tool(name="a"), Tool(name="a")]), "tools[1].name"),
    "tool of no schema": (
        ask(tools=[Tool(name="a", parameters_json_schema='{"type": 5}')]),
        "tools[0].parameters_json_schema",
    ),
    "tool of no JSON": (
        ask(tools=[Tool(name="a", parameters_json_schema="{")]),
        "tools[0].parameters_json_schema",
    ),
    "choice of nothing": (
        ask(tools=[Tool(name="a")], tool_choice=content.ToolChoice()),
        "tool_choice.mode",
    ),
    "choice of an unknown mode": (
        ask(tools=[Tool(name="a")], tool_choice=content.ToolChoice(mode=77)),
        "tool_choice.mode",
    ),
    "choice of no tool": (
        ask(tool_choice=content.ToolChoice(mode=content.TOOL_MODE_AUTO)),
        "tool_choice",
    ),
    "choice of an unknown tool": (
        ask(tools=[Tool(name="a")], tool_choice=content.ToolChoice(tool_name="b")),
        "tool_choice.tool_name",
    ),
    "format of nothing": (ask(response_format=content.ResponseFormat()), "response_format"),
    "no JSON schema": (schema('{"type": "nothing"}'), "response_format.json_schema.schema_json"),
    "schema of no JSON": (schema("nonsense"), "response_format.json_schema.schema_json"),
    "schema of a list": (schema("[]"), "response_format.json_schema.schema_json"),
    "empty schema": (schema(""), "response_format.json_schema.schema_json"),
    "schema of half a character": (
        schema('{"title": "\\ud800"}'),
        "response_format.json_schema.schema_json",
    ),
    "schema as deep as the sea": (
        schema('{"not":' * 50_000 + "{}" + "}" * 50_000),
        "response_format.json_schema.schema_json",
    ),
    "schema of an unknown dialect": (
        schema('{"$schema": "http://127.0.0.1:1/none"}'),
        "response_format.json_schema.schema_json",
    ),
    "schema of a local file": (
        schema('{"$schema": "file:///etc/passwd"}'),
        "response_format.json_schema.schema_json",
    ),
    "schema without a name": (schema(SCHEMA, ""), "response_format.json_schema.name"),
    "unknown effort": (
        ask(reasoning=generate_pb2.ReasoningOptions(effort=42)),
        "reasoning.effort",
    ),
    "no thought": (
        ask(reasoning=generate_pb2.ReasoningOptions(budget_tokens=0)),
        "reasoning.budget_tokens",
    ),
    "unset modality": (ask(modalities=[content.MODALITY_TEXT, 0]), "modalities[1]"),
    "unknown modality": (ask(modalities=[9]), "modalities[0]"),
    "sound without the modality": (
        ask(audio_output=content.AudioOutputOptions(voice="v")),
        "audio_output",
    ),
    "unset category": (
        ask(safety_settings=[generate_pb2.SafetySetting(threshold=1)]),
        "safety_settings[0].category",
    ),
    "unknown threshold": (
        ask(safety_settings=[generate_pb2.SafetySetting(category=1, threshold=50)]),
        "safety_settings[0].threshold",
    ),
    "options of no JSON": (ask(provider_options_json="{x"), "provider_options_json"),
    "options of a list": (ask(provider_options_json="[1]"), "provider_options_json"),
    "options of many answers": (ask(provider_options_json='{"n": 4}'), "provider_options_json"),
    "options as deep as the sea": (
        ask(provider_options_json='{"a":' * 100_000 + "1" + "}" * 100_000),
        "provider_options_json",
    ),
    "options of a huge number": (
        ask(provider_options_json='{"a": 1%s}' % ("0" * 5000)),
        "provider_options_json",
    ),
    "unknown leniency": (ask(unsupported_parameters=8), "unsupported_parameters"),
    "unknown priority": (ask(priority=8), "priority"),
    "empty fallback": (wish(fallback_models=["default", ""]), "routing.fallback_models[1]"),
}

UNSUPPORTED = {
    "cache.mode": ask(cache=generate_pb2.CacheOptions(mode=generate_pb2.CACHE_MODE_ONLY_IF_CACHED)),
    "cache.ttl": ask(cache=generate_pb2.CacheOptions(ttl=Duration(seconds=1))),
}

EMBED = {
    "no inputs": (embed_pb2.EmbedRequest(), "inputs"),
    "empty input": (embed("a", ""), "inputs[1].text"),
    "unset input": (embed_pb2.EmbedRequest(inputs=[embed_pb2.EmbedInput()]), "inputs[0].text"),
    "no tokens": (
        embed_pb2.EmbedRequest(inputs=[embed_pb2.EmbedInput(token_ids=embed_pb2.TokenIds())]),
        "inputs[0].token_ids",
    ),
    "no dimensions": (embed("a", dimensions=0), "dimensions"),
    "endless dimensions": (embed("a", dimensions=2**32 - 1), "dimensions"),
    "unknown task": (embed("a", task=60), "task"),
    "unknown encoding": (embed("a", encoding=60), "encoding"),
    "options of no JSON": (embed("a", provider_options_json="null"), "provider_options_json"),
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory):
    """One gateway for all these tests, and its upstream."""
    async with Upstream(always(whole(b"{}"))) as upstream:
        tree, directory = openai(upstream.url), tmp_path_factory.mktemp("gateway")
        async with running(tree, directory, environment={"UP_KEY": "canary"}) as gateway:
            yield gateway, upstream


@pytest.fixture
def gateway(served):
    gateway, upstream = served
    yield gateway
    assert upstream.connections == 0, "something was sent upstream"


def params(table: dict[str, tuple[object, str]]) -> list[object]:
    return [pytest.param(*row, id=name.replace(" ", "-")) for name, row in table.items()]


@pytest.mark.parametrize(("request_", "field"), params(GENERATE))
async def test_generate_names_the_field(gateway, request_, field):
    for call in (gateway.calls.Generate(request_), gateway.calls.StreamGenerate(request_)):
        failed = await failure(call)
        assert (failed.code, failed.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
        )
        assert failed.fields == [field]
        assert failed.message.startswith(field)


@pytest.mark.parametrize(("request_", "field"), params(EMBED))
async def test_embed_names_the_field(gateway, request_, field):
    failed = await failure(gateway.calls.Embed(request_))
    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert failed.fields == [field]


@pytest.mark.parametrize("field", UNSUPPORTED)
async def test_a_wish_that_is_not_served_is_refused(gateway, field):
    failed = await failure(gateway.calls.Generate(UNSUPPORTED[field]))
    assert (failed.code, failed.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "UNSUPPORTED_PARAMETER",
    )
    assert failed.fields == [field]


async def test_an_unknown_model_is_not_found_and_a_near_one_is_named(gateway):
    for call in (
        gateway.calls.Generate(ask(model="defualt")),
        gateway.calls.StreamGenerate(ask(model="defualt")),
        gateway.calls.Embed(embed("a", model="defualt")),
        gateway.calls.CountTokens(generate_pb2.CountTokensRequest(request=ask(model="defualt"))),
    ):
        failed = await failure(call)
        assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")
        assert "Did you mean `default`?" in failed.message
        resource = failed.details["ResourceInfo"]
        assert (resource.resource_type, resource.resource_name) == ("model", "defualt")


async def test_an_unknown_fallback_is_not_found_before_anything_is_sent(gateway):
    failed = await failure(gateway.calls.Generate(wish(fallback_models=["nothing like it"])))
    assert failed.details["ResourceInfo"].resource_name == "nothing like it"


async def test_a_message_over_the_limit_is_answered_by_the_gateway(gateway):
    request = ask("x" * (17 * 1024 * 1024))
    for call in (gateway.calls.Generate(request), gateway.calls.StreamGenerate(request)):
        failed = await failure(call)
        assert (failed.code, failed.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
        )
        assert str(16 * 1024 * 1024) in failed.message


async def test_a_message_over_the_bound_of_grpc_is_refused_unread(gateway):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.calls.Generate(ask("x" * (33 * 1024 * 1024)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await failure(gateway.calls.Generate(Request()))).fields == ["messages"]


async def test_text_that_is_not_utf8_is_named_by_its_path(gateway):
    request = says(
        Part(text="fine"),
        Part(tool_call=content.ToolCall(id="1", name="f", arguments_json="MARK")),
        role=content.ROLE_ASSISTANT,
    )
    data = request.SerializeToString().replace(b"MARK", b"\xff\xfe{}")
    path = "messages[0].parts[1].tool_call.arguments_json"
    assert (await failure(gateway.method("Generate")(data))).fields == [path]
    assert (await failure(gateway.stream_method("StreamGenerate")(data))).fields == [path]


async def test_bytes_that_are_no_message_are_refused(gateway):
    for data in (b"\xff", b"\x0a\x05ab", b"\x0b", b"\xff" * 1_000_000):
        failed = await failure(gateway.method("Generate")(data))
        assert (failed.code, failed.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
        )
        assert "interlingua.v1.GenerateRequest" in failed.message


async def test_a_message_nested_without_end_is_refused(gateway):
    part = b""
    while len(part) < 200_000:
        for tag in (b"\x1a", b"\x3a"):  # ToolResult.parts, Part.tool_result
            part = tag + varint(len(part)) + part
    data = b"\x12" + varint(len(part)) + part
    failed = await failure(gateway.method("Generate")(data))
    assert failed.reason == "INVALID_REQUEST"


async def test_a_fault_told_in_a_script_of_long_characters_still_arrives(gateway):
    failed = await failure(gateway.calls.Generate(schema('{"type": "%s"}' % ("\U0001f600" * 4000))))
    assert failed.fields == ["response_format.json_schema.schema_json"]


async def test_a_batch_must_have_requests_and_may_not_have_too_many(gateway):
    for request, field in (
        (generate_pb2.BatchGenerateRequest(), "requests"),
        (generate_pb2.BatchGenerateRequest(requests=[Request()] * 1001), "requests"),
        (generate_pb2.BatchGenerateRequest(requests=[Request()], max_parallel=0), "max_parallel"),
    ):
        assert (await failure(gateway.calls.BatchGenerate(request))).fields == [field]


async def test_the_error_of_a_failed_call_is_also_in_its_trailing_metadata(gateway):
    call = gateway.calls.Generate(Request())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert failure_of(caught.value).metadata["operation_id"].startswith("op_")


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
