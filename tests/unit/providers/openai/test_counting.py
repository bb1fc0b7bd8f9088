"""Token counts: estimated, or by llama.cpp's server exactly."""

from __future__ import annotations

import msgspec
import pytest

from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.estimate import input_tokens
from interlingua_gateway.core.events import TokenCount
from interlingua_gateway.core.types import CountRequest, Media, MediaKind, Message, Role
from tests.support.openai import Bench, ask, attempt, whole


async def count(bench: Bench, **fields: object) -> object:
    request = CountRequest(request=ask(**fields))
    reply = await bench.provider.open(attempt(request, provider=bench.provider.name))
    (event,) = await reply.next() or ()
    return event


async def test_estimate_asks_nobody() -> None:
    bench = Bench()
    assert await count(bench) == TokenCount(input_tokens(ask()), estimated=True)
    assert not bench.transport.requests


async def test_llama_server_counts_by_its_own_template_and_tokenizer() -> None:
    bench = Bench(whole({"prompt": "<s>Hi"}), whole({"tokens": [1, 2, 3]}), name="llamacpp")
    assert await count(bench) == TokenCount(3, estimated=False)
    template, tokenize = bench.transport.requests
    assert (template.path, tokenize.path) == ("/apply-template", "/tokenize")
    assert msgspec.json.decode(template.body)["messages"] == [{"role": "user", "content": "Hi"}]
    asked = {"content": "<s>Hi", "add_special": True, "parse_special": True}
    assert msgspec.json.decode(tokenize.body) == asked


async def test_media_are_estimated() -> None:
    picture = Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"p")
    bench = Bench(name="llamacpp")
    counted = await count(bench, messages=(Message(role=Role.USER, parts=(picture,)),))
    assert isinstance(counted, TokenCount)
    assert counted.estimated


@pytest.mark.parametrize("second", [b"{}", b"", b'{"tokens":7}'])
async def test_count_of_another_shape(second: bytes) -> None:
    bench = Bench(whole({"prompt": "x"}), whole(second), name="llamacpp")
    with pytest.raises(UpstreamError) as raised:
        await count(bench)
    assert raised.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


async def test_server_that_fails() -> None:
    with pytest.raises(UpstreamError) as raised:
        await count(Bench(whole(b"", 503), name="llamacpp"))
    assert raised.value.reason is Reason.UPSTREAM_UNAVAILABLE
