"""A scripted gateway on a Unix socket, and both clients, seen through one awaitable face."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from interlingua import AsyncClient, Client
from tests.clients.python.scripted import Script, serve

SECRET = "a-secret-of-more-than-32-characters"


class Blocking:
    """The blocking client with the face of the other one: its calls run in a thread."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __getattr__(self, name: str):
        method = getattr(self.client, name)

        async def call(*arguments, **options):
            return await asyncio.to_thread(method, *arguments, **options)

        return call

    def stream(self, *arguments, **options) -> "BlockingStream":
        return BlockingStream(self.client.stream(*arguments, **options))


class BlockingStream:
    def __init__(self, stream) -> None:
        self._stream = stream

    async def __aenter__(self):
        self._stream.__enter__()
        return self

    async def __aexit__(self, *error):
        await asyncio.to_thread(self._stream.__exit__, *error)

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self._next(self._stream)

    async def text_deltas(self, candidate: int = 0):
        deltas = self._stream.text_deltas(candidate)
        while True:
            try:
                yield await self._next(deltas)
            except StopAsyncIteration:
                return

    async def collect(self):
        return await asyncio.to_thread(self._stream.collect)

    @property
    def response(self):
        return self._stream.response

    @property
    def partial(self):
        return self._stream.partial

    async def aclose(self):
        await asyncio.to_thread(self._stream.close)

    async def _next(self, iterator):
        if (item := await asyncio.to_thread(next, iterator, self)) is self:
            raise StopAsyncIteration
        return item


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def address(script: Script, tmp_path) -> Iterator[str]:
    address = f"unix:{tmp_path}/gateway.sock"
    with serve(script, address):
        yield address


@pytest.fixture
async def aio(address: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(address, api_key=SECRET) as client:
        yield client


@pytest.fixture
def blocking(address: str) -> Iterator[Client]:
    with Client(address, api_key=SECRET) as client:
        yield client


@pytest.fixture(params=["blocking", "aio"])
async def client(request, address: str):
    """Either client; the tests that take it run twice."""
    if request.param == "aio":
        async with AsyncClient(address, api_key=SECRET) as client:
            yield client
    else:
        with Client(address, api_key=SECRET) as client:
            yield Blocking(client)
