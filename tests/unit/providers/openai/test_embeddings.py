"""Embeddings: base64 that is never made a number, lists of numbers, and what is neither."""

from __future__ import annotations

import base64
import math
import struct

import pytest

from interlingua_gateway.core.errors import CallerError, Reason, UpstreamError
from interlingua_gateway.core.events import Usage, UsageUpdate, Vector
from interlingua_gateway.core.types import EmbedInput, EmbedRequest
from tests.support.openai import Bench, attempt, body_of, whole

ONE, TWO = struct.pack("<3f", 3.0, 0.0, 4.0), struct.pack("<3f", 0.5, -1.0, 1e-3)


def embed(*inputs: EmbedInput, **fields: object) -> EmbedRequest:
    return EmbedRequest(model="alias", inputs=inputs, **fields)  # type: ignore[arg-type]


RED, GREEN = EmbedInput(text="red"), EmbedInput(text="green")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def vectors_of(data: object, request: EmbedRequest) -> list[object]:
    body = {"data": data, "model": "embedder", "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    reply = await Bench(whole(body)).provider.open(attempt(request))
    return list(await reply.next() or ())


def test_request() -> None:
    assert body_of(embed(RED, GREEN, dimensions=3, user="u")) == {
        "model": "gpt-x",
        "input": ["red", "green"],
        "dimensions": 3,
        "user": "u",
        "encoding_format": "base64",
    }
    tokens = (EmbedInput(tokens=(1, 2)), EmbedInput(tokens=(3,)))
    assert body_of(embed(*tokens))["input"] == [[1, 2], [3]]
    assert "encoding_format" not in body_of(embed(RED), name="mistral")


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (embed(RED, EmbedInput(tokens=(1,))), "inputs"),
        (embed(RED, task="search_query"), "task"),
        (embed(RED, provider_options_json='{"input":1}'), "provider_options_json"),
    ],
)
def test_request_that_cannot_be_sent(request_: EmbedRequest, path: str) -> None:
    with pytest.raises(CallerError) as raised:
        body_of(request_)
    assert raised.value.violations[0].subject == path


async def test_vectors_in_either_form_and_any_order() -> None:
    expected = [Vector(0, ONE), Vector(1, TWO), UsageUpdate(Usage(2))]
    lists = [list(struct.unpack("<3f", data)) for data in (ONE, TWO)]
    for data in (
        [{"index": 0, "embedding": b64(ONE)}, {"index": 1, "embedding": b64(TWO)}],
        [{"index": 1, "embedding": b64(TWO)}, {"index": 0, "embedding": b64(ONE)}],
        [{"embedding": b64(ONE)}, {"embedding": b64(TWO)}],
        [{"index": 0, "embedding": lists[0]}, {"index": 1, "embedding": lists[1]}],
    ):
        assert await vectors_of(data, embed(RED, GREEN)) == expected


async def test_normalized() -> None:
    zero = struct.pack("<3f", 0, 0, 0)
    data = [{"embedding": b64(ONE)}, {"embedding": b64(zero)}]
    found = await vectors_of(data, embed(RED, GREEN, normalize=True))
    assert found[:2] == [Vector(0, struct.pack("<3f", 0.6, 0.0, 0.8)), Vector(1, zero)]
    assert math.isclose(math.hypot(*struct.unpack("<3f", found[0].data)), 1, rel_tol=1e-6)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data",
    [
        [],
        None,
        [{"index": 0, "embedding": b64(ONE)}],
        [{"index": 0, "embedding": b64(ONE)}, {"index": 0, "embedding": b64(TWO)}],
        [{"index": 0, "embedding": b64(ONE)}, {"index": 2, "embedding": b64(TWO)}],
        [{"embedding": b64(ONE)}, {"embedding": b64(TWO[:8])}],
        [{"embedding": b64(ONE)}, {"embedding": b64(TWO[:7])}],
        [{"embedding": b64(ONE)}, {"embedding": ""}],
        [{"embedding": b64(ONE)}, {"embedding": "not base64!"}],
        [{"embedding": [1, 2, 3]}, {"embedding": [1, 2, 1e300]}],
        [{"embedding": [1, 2, 3]}, {"embedding": ["1", 2, 3]}],
    ],
)
async def test_vectors_that_do_not_answer(data: object) -> None:
    with pytest.raises(UpstreamError) as raised:
        await vectors_of(data, embed(RED, GREEN))
    assert raised.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


async def test_error_where_vectors_were_due() -> None:
    body = {"error": {"code": "rate_limit_exceeded"}}
    with pytest.raises(UpstreamError) as raised:
        await Bench(whole(body)).provider.open(attempt(embed(RED)))
    assert raised.value.reason is Reason.UPSTREAM_RATE_LIMITED
