"""Embed and CountTokens."""

from __future__ import annotations

import array
import base64
import math

import grpc
import pytest

from interlingua.v1 import embed_pb2, generate_pb2
from tests.support.failures import failure
from tests.support.gateway import openai, scripted
from tests.support.requests import ask, embed
from tests.support.upstream import Upstream, always, whole

BYTES = embed_pb2.EMBEDDING_ENCODING_FLOAT32_LE
VECTORS = ([0.25, -1.5, 3.0], [1e-3, 7.0, -0.0])


async def test_floats_and_bytes_are_the_same_numbers(start):
    gateway = await start(scripted())
    floats = await gateway.calls.Embed(embed("a", "b", "c"))
    packed = await gateway.calls.Embed(embed("a", "b", "c", encoding=BYTES))
    assert [e.index for e in floats.embeddings] == [0, 1, 2]
    assert [e.index for e in packed.embeddings] == [0, 1, 2]
    for left, right in zip(floats.embeddings, packed.embeddings, strict=True):
        assert (len(left.values), left.float32_le) == (32, b"")
        assert (len(right.values), len(right.float32_le)) == (0, 128)
        assert list(left.values) == list(array.array("f", right.float32_le))
        assert math.isclose(math.hypot(*left.values), 1, rel_tol=1e-5)
    assert floats.answered_by.deployment == "stage/echo"
    assert (floats.usage.input_tokens, floats.usage.output_tokens) == (3, 0)
    assert floats.operation_id.startswith("op_")
    assert len(floats.report.attempts) == 1


async def test_what_an_upstream_sends_as_base64_arrives_bit_by_bit(start):
    data = [
        b'{"object":"embedding","index":%d,"embedding":"%s"}'
        % (i, base64.b64encode(array.array("f", vector).tobytes()))
        for i, vector in enumerate(VECTORS)
    ]
    body = (
        b'{"object":"list","model":"m","data":[' + b",".join(reversed(data)) + b"],"
        b'"usage":{"prompt_tokens":7,"total_tokens":7}}'
    )
    async with Upstream(always(whole(body))) as upstream:
        gateway = await start(openai(upstream.url, price=True), environment={"UP_KEY": "k"})
        answer = await gateway.calls.Embed(embed("a", "b"))
    for embedding, vector in zip(answer.embeddings, VECTORS, strict=True):
        assert embedding.values == pytest.approx(vector)
    assert (answer.usage.input_tokens, answer.usage.estimated) == (7, False)
    assert (answer.cost.cost_nano_usd, answer.cost.estimated) == (7000, False)
    assert answer.report.attempts[0].cost == answer.cost


async def test_dimensions_and_token_ids_are_passed_on(start):
    gateway = await start(scripted())
    tokens = embed_pb2.EmbedInput(token_ids=embed_pb2.TokenIds(ids=[1, 2, 3]))
    request = embed_pb2.EmbedRequest(inputs=[tokens], dimensions=5)
    answer = await gateway.calls.Embed(request)
    assert len(answer.embeddings[0].values) == 5


async def test_too_few_vectors_are_no_answer(start):
    body = b'{"object":"list","data":[{"index":0,"embedding":[1.0]}],"usage":{"prompt_tokens":1}}'
    async with Upstream(always(whole(body))) as upstream:
        gateway = await start(openai(upstream.url), environment={"UP_KEY": "k"})
        failed = await failure(gateway.calls.Embed(embed("a", "b")))
    assert (failed.code, failed.reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "UPSTREAM_INVALID_RESPONSE",
    )


async def test_tokens_are_counted_by_the_provider_that_can(start):
    gateway = await start(scripted())
    request = generate_pb2.CountTokensRequest(request=ask("one two three"))
    count = await gateway.calls.CountTokens(request)
    assert (count.input_tokens, count.estimated) == (3, False)
    assert count.answered_by.deployment == "stage/echo"


async def test_tokens_are_estimated_where_nobody_counts(start):
    async with Upstream(always(b"")) as upstream:
        gateway = await start(openai(upstream.url), environment={"UP_KEY": "k"})
        request = generate_pb2.CountTokensRequest(request=ask("one two three"))
        count = await gateway.calls.CountTokens(request)
        assert upstream.connections == 0
    assert count.estimated
    assert 3 <= count.input_tokens <= 12
