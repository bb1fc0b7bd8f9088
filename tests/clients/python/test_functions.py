"""The one-line functions, with either client."""

import pytest

from interlingua import (
    GenerateResult,
    NotFoundError,
    StreamBrokenError,
    batch_generate,
    generate_embeddings,
    generate_text,
    stream_text,
)
from interlingua.v1.embed_pb2 import EmbedResponse
from interlingua.v1.generate_pb2 import BatchGenerateResponse
from tests.clients.python.scripted import (
    answer,
    completed,
    delta,
    events,
    info,
    status,
)


@pytest.fixture
def full_script(script):
    def embed(request, _):
        response = EmbedResponse()
        for number, item in enumerate(request.inputs):
            response.embeddings.add(index=number, values=[float(len(item.text))])
        return response

    def batch(request, _):
        gone = status("NOT_FOUND", "gone", info("MODEL_NOT_FOUND"))
        yield BatchGenerateResponse(index=1, error=gone)
        yield BatchGenerateResponse(index=0, response=answer("a"))

    script.embed, script.batch = embed, batch
    script.stream = lambda *_: iter(events(delta("a"), delta("b"), completed()))
    return script


def test_blocking(blocking, full_script):
    assert generate_text(blocking, "x", model="gpt", temperature=0.5) == "hello"
    assert full_script.requests[0].model == "gpt"
    assert list(stream_text(blocking, "x")) == ["a", "b"]
    assert generate_embeddings(blocking, ["a", "abc"]) == [[1.0], [3.0]]
    done, failed = batch_generate(blocking, ["a", "b"])
    assert isinstance(done, GenerateResult)
    assert isinstance(failed, NotFoundError)


async def test_asyncio(aio, full_script):
    assert await generate_text(aio, "x", model="gpt", temperature=0.5) == "hello"
    assert full_script.requests[0].model == "gpt"
    assert [text async for text in stream_text(aio, "x")] == ["a", "b"]
    assert await generate_embeddings(aio, ["a", "abc"]) == [[1.0], [3.0]]
    done, failed = await batch_generate(aio, ["a", "b"])
    assert isinstance(done, GenerateResult)
    assert isinstance(failed, NotFoundError)


async def test_the_blocking_client_works_under_a_running_loop(blocking, full_script):
    assert generate_text(blocking, "x") == "hello"


def test_a_text_that_breaks_off_raises(blocking, script):
    script.stream = lambda *_: iter(events(delta("a")))
    texts = stream_text(blocking, "x")
    assert next(texts) == "a"
    with pytest.raises(StreamBrokenError):
        next(texts)


def test_closing_a_text_cancels_it(blocking, script):
    def stream(*_):
        yield from events(delta("a"))
        script.hold()

    script.stream = stream
    texts = stream_text(blocking, "x")
    assert next(texts) == "a"
    texts.close()
    assert script.over.wait(10)
