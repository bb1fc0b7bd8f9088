"""Recorded traffic of real providers goes through the gateway; what comes out is what was recorded.

Each recorded request is asked of a gateway through gRPC, by every kind of provider that a user
could configure for it, and answered by a server with the recorded bytes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import cache

import grpc
import msgspec
import pytest
import pytest_asyncio

from interlingua.v1 import embed_pb2
from tests.support.failures import Failure, failure_of
from tests.support.gateway import UNFORGIVING, Running, running
from tests.support.library_warnings import OF_THE_LIBRARY
from tests.support.recordings import Recorded, recordings
from tests.support.recordings_answers import Answer, differences, gateways, gateways_stream
from tests.support.recordings_families import ENVIRONMENT, Case, configuration, family_of
from tests.support.recordings_replay import Replay

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    *(pytest.mark.filterwarnings(warning) for warning in OF_THE_LIBRARY),
]

PATIENCE_S = 10.0

LEFT_OUT = {
    "threads, runs and assistants: not in the contract": r"\S+ api\.openai\.com/v1/(thre|assi)",
    "OpenAI's Responses API: the providers speak chat completions": r"\S+ \S+/v1/responses",
    "text completions without roles: not in the contract": r"\S+ \S+/v1/(completions|complete)\b",
    "images from a prompt: not in the contract": r"\S+ \S+/v1/images/",
    "reranking: not in the contract": r"\S+ \S+/rerank",
    "Cohere's text generation, which it has retired": r"\S+ api\.cohere\.com/v1/generate",
    "Ollama's first embeddings API: litellm speaks its second": r"\S+ \S+/api/embeddings",
    "a picture that a test of the recorder fetched": r"GET upload\.wikimedia\.org/",
    "Claude 2's text completions, which Anthropic has retired": r"\S+ \S+/anthropic\.claude-v2:1/",
    "a SageMaker endpoint with a form of its own": r"\S+ \S+/model/arn:aws:sagemaker:",
    "OpenAI's retired functions: the contract has tools": r"\S+ \S+/chat/completions functions",
}
"""Recorded exchanges that no method of the contract asks for, by reason."""

STATUSES = {
    400: (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    401: (grpc.StatusCode.INTERNAL, "UPSTREAM_REFUSED_CREDENTIALS"),
    404: (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
}
"""What a recorded refusal becomes."""
FILTERED = (grpc.StatusCode.FAILED_PRECONDITION, "CONTENT_FILTERED")
NOT_UNDERSTOOD = (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_INVALID_RESPONSE")
NOT_EXPECTED = (grpc.StatusCode.OK, "")
BROKEN = (grpc.StatusCode.ABORTED, "STREAM_BROKEN")


class Limit(msgspec.Struct, frozen=True):
    """What litellm does to the answers of `cases` (account and name) that is not right: it does not
    pass on `fields`, or, where there are none, it fails, and the answer is refused."""

    why: str
    cases: str
    fields: tuple[str, ...] = ()


LIMITS: tuple[Limit, ...] = (
    Limit("takes no Groq answer without `service_tier`", r"litellm-groq\S* groq/(?!.*streaming)"),
    Limit("takes no choice without a message", r"litellm-azure\S* \S+chat_content_filtering\S*#0"),
    Limit("takes no usage without `outputTokens`", r"litellm-bedrock-invoke \S+nova_completion"),
    Limit("has no finish for what a guardrail blocked", r"\S+ \S+test_guardrail_invoke_stream#"),
    Limit("reads no usage in `x_groq`", r"litellm-groq\S* groq/.*streaming", ("tokens",)),
    Limit("reads no usage in Titan's streams", r"litellm-\S+ \S+titan_invoke_stream", ("tokens",)),
    Limit("counts what Cohere's first API bills", r"litellm-cohere_chat-v1", ("tokens",)),
    Limit(
        "drops Cohere's tool plan",
        r"litellm-cohere\S* \S+calls_and_history(_async)?#0",
        ("[0].reasoning",),
    ),
)


@cache
def exchanges() -> tuple[Recorded, ...]:
    return tuple(recordings())


def described(recorded: Recorded) -> str:
    functions = " functions" if "functions" in recorded.asked else ""
    return f"{recorded.method} {recorded.host}{recorded.path}{functions}"


def left_out(recorded: Recorded) -> list[str]:
    return [why for why, what in LEFT_OUT.items() if re.match(what, described(recorded))]


@cache
def cases() -> tuple[Case, ...]:
    return tuple(
        Case(recorded, family, way)
        for recorded in exchanges()
        if not left_out(recorded) and (family := family_of(recorded)) is not None
        for way in family.ways
    )


def name_of(case: Case) -> str:
    return f"{case.account} {case.recorded.name}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", cases(), ids=name_of)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    replay: Replay, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    tree = configuration(cases(), f"http://127.0.0.1:{replay.port}")
    tree["routing"] = UNFORGIVING
    directory = tmp_path_factory.mktemp("gateway")
    async with running(tree, directory, environment=ENVIRONMENT) as gateway:
        await gateway.built.tasks.joined()  # the library is loaded
        yield gateway


async def test_every_exchange_is_used_or_left_out_for_a_reason() -> None:
    unexplained = [
        described(recorded)
        for recorded in exchanges()
        if len(left_out(recorded)) + (family_of(recorded) is not None and not left_out(recorded))
        != 1
    ]
    assert not unexplained
    assert {case.recorded.package for case in cases()} >= {
        "anthropic", "bedrock", "cohere", "google-generativeai", "groq", "mistralai", "ollama",
        "openai", "openai-v2", "together",
    }  # fmt: skip


@pytest.mark.parametrize("why", LEFT_OUT)
async def test_left_out(why: str) -> None:
    found = [recorded for recorded in exchanges() if why in left_out(recorded)]
    assert found, "nothing recorded is of this kind any more"
    pytest.skip(f"{len(found)} exchanges: {why}")


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.why)
async def test_limit_is_one_of_the_library(limit: Limit) -> None:
    assert any(re.match(limit.cases, name_of(case)) for case in cases())
    assert not any(
        case.way.name == "native" and re.match(limit.cases, name_of(case)) for case in cases()
    )


async def test_answer_is_the_recorded_one(case: Case, gateway: Running, replay: Replay) -> None:
    replay.expect(case.recorded)
    answer = await asked(case, gateway)
    assert not replay.strays
    assert not replay.left
    limits = [limit for limit in LIMITS if re.match(limit.cases, name_of(case))]
    if isinstance(answer, Failure):
        assert (answer.code, answer.reason) == refusal(case, limits), answer.message
        return
    assert case.recorded.status == 200
    expected = case.family.read(case.recorded)
    unread = {field for limit in limits for field in limit.fields}
    assert not limits or unread
    found = differences(expected, answer)
    assert {line.partition(":")[0] for line in found} == unread, "\n".join(found)


async def asked(case: Case, gateway: Running) -> Answer | Failure:
    request = case.family.asked(case.recorded.asked)
    request.model = case.alias
    calls = gateway.calls
    try:
        if isinstance(request, embed_pb2.EmbedRequest):
            return gateways(await calls.Embed(request, timeout=PATIENCE_S))
        if not case.recorded.event_stream:
            return gateways(await calls.Generate(request, timeout=PATIENCE_S))
        stream = calls.StreamGenerate(request, timeout=PATIENCE_S)
        return gateways_stream([event async for event in stream])
    except grpc.aio.AioRpcError as error:
        return failure_of(error)


def refusal(case: Case, limits: list[Limit]) -> tuple[grpc.StatusCode, str]:
    """Code and reason for an answer that is none."""
    if any(not limit.fields for limit in limits):
        return BROKEN if case.recorded.event_stream else NOT_UNDERSTOOD
    if case.recorded.status == 200:
        return FILTERED if b'"code": "content_filter"' in case.recorded.plain else NOT_EXPECTED
    return STATUSES[case.recorded.status]
