"""What comes back through litellm from each kind of upstream, whole and streamed."""

from __future__ import annotations

import json

import pytest

from interlingua_gateway.core.errors import GatewayError, Reason
from interlingua_gateway.core.events import Finish, FinishReason, Usage
from interlingua_gateway.core.types import Text
from tests.support.upstream import Upstream, always, whole
from tests.support.wires import WIRES, Wire
from tests.unit.providers.litellm.conftest import Make, attempt

each = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
both = pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])


@each
@both
async def test_answer_is_whole(make: Make, wire: Wire, streaming: bool) -> None:
    body = wire.stream() if streaming else whole(wire.whole)
    async with Upstream(always(body)) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        reply = await provider.open(attempt(wire.model, streaming=streaming))
        answer = await reply.collect()
        again = await (await provider.open(attempt(wire.model, streaming=streaming))).collect()
    [candidate] = answer.candidates
    assert candidate.parts == (Text(text="Hello there"),)
    assert candidate.finish == Finish(0, FinishReason.STOP)
    assert answer.usage == Usage(input_tokens=7, output_tokens=3)
    assert again == answer
    assert upstream.visits[0].path.startswith(wire.path)
    assert upstream.connections == 1  # the second call took the first one's connection


@each
async def test_stream_that_just_stops_is_no_answer(make: Make, wire: Wire) -> None:
    async with Upstream(always(wire.cut())) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        reply = await provider.open(attempt(wire.model, streaming=True))
        with pytest.raises(GatewayError) as caught:
            await reply.collect()
    assert caught.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


@each
async def test_stream_that_breaks_off_is_no_answer(make: Make, wire: Wire) -> None:
    async def answer(visit: object) -> None:
        await visit.send(wire.cut().removesuffix(b"0\r\n\r\n"))  # type: ignore[attr-defined]

    async with Upstream(answer) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        reply = await provider.open(attempt(wire.model, streaming=True))
        with pytest.raises(GatewayError) as caught:
            await reply.collect()
        await upstream.none_open()
    assert caught.value.reason is Reason.UPSTREAM_UNAVAILABLE


@each
async def test_stream_with_a_corrupt_part_is_no_answer(make: Make, wire: Wire) -> None:
    middle = wire.pieces[wire.unfinished - 1]
    broken = wire.stream().replace(middle, middle[:-8] + b"\x00" * 6 + middle[-2:])
    async with Upstream(always(broken)) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        with pytest.raises(GatewayError) as caught:
            await (await provider.open(attempt(wire.model, streaming=True))).collect()
    assert caught.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


@each
@both
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", "application/json"), (b"<html>", "text/html"), (b"{", "application/json")],
    ids=["empty", "page", "cut"],
)
async def test_body_of_another_kind_is_no_answer(
    make: Make, wire: Wire, streaming: bool, body: bytes, content_type: str
) -> None:
    async with Upstream(always(whole(body, content_type=content_type))) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        with pytest.raises(GatewayError) as caught:
            await (await provider.open(attempt(wire.model, streaming=streaming))).collect()
    assert caught.value.reason is Reason.UPSTREAM_INVALID_RESPONSE


@each
async def test_whole_answer_without_a_finish_is_no_answer(make: Make, wire: Wire) -> None:
    value = json.loads(wire.whole)
    for key in ("stop_reason", "stopReason", "finish_reason", "done_reason", "done"):
        value.pop(key, None)
    for choice in value.get("choices", []):
        choice["finish_reason"] = None
    for candidate in value.get("candidates", []):
        candidate.pop("finishReason")
    async with Upstream(always(whole(json.dumps(value).encode()))) as upstream:
        provider = make(api_base=upstream.url, **wire.params)
        with pytest.raises(GatewayError) as caught:
            await provider.open(attempt(wire.model))
    assert caught.value.reason is Reason.UPSTREAM_INVALID_RESPONSE
