"""The HTTP client against a raw upstream, on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import trustme

from interlingua_gateway.core.clock import Clock, SystemClock
from interlingua_gateway.providers.transport.client import HttpClient, PoolLimits
from interlingua_gateway.providers.transport.connect import Proxy, proxy_of
from interlingua_gateway.providers.transport.errors import (
    BodyTooLarge,
    ConnectFailed,
    ConnectionBroken,
    ConnectTimedOut,
    MalformedResponse,
    NoFreeConnection,
    TlsFailed,
    TransportClosed,
    UnsendableRequest,
)
from interlingua_gateway.providers.transport.exchange import Exchange
from interlingua_gateway.providers.transport.messages import (
    HttpRequest,
    Origin,
    read_whole,
    split_url,
)
from tests.support.manual_clock import ManualClock
from tests.support.upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Upstream,
    Visit,
    always,
    chunk,
    whole,
)

Make = Callable[..., HttpClient]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes clients and checks at the end that they close everything."""
    made: list[HttpClient] = []

    def build(
        clock: Clock | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
        **limits: float,
    ) -> HttpClient:
        pool = PoolLimits(**limits)  # type: ignore[arg-type]
        client = HttpClient(clock=clock or SystemClock(), limits=pool, tls=tls, proxy=proxy)
        made.append(client)
        return client

    yield build
    for client in made:
        await client.aclose()
        assert client.open_connections == 0


def post(url: str, body: bytes = b"{}", headers: tuple[tuple[str, str], ...] = ()) -> HttpRequest:
    origin, path = split_url(url)
    return HttpRequest("POST", origin, path or "/", headers, body)


async def send(client: HttpClient, request: HttpRequest, connect_timeout_s: float = 5) -> Exchange:
    return await client.send(request, connect_timeout_s=connect_timeout_s, on_sent=lambda: None)


async def fetch(client: HttpClient, url: str) -> bytes:
    return await read_whole(await send(client, post(url)), 1 << 20)


async def test_request_on_the_wire(make: Make) -> None:
    async with Upstream(always(whole(b"ok"))) as upstream:
        request = post(f"{upstream.url}/v1/x", b"body", (("authorization", "Bearer k"),))
        response = await send(make(), request)
        assert (response.status, response.header("content-type")) == (200, "application/json")
        assert response.header("missing") == ""
        assert await read_whole(response, 100) == b"ok"
        visit = upstream.visits[0]
        assert (visit.method, visit.path, visit.body) == ("POST", "/v1/x", b"body")
        assert visit.headers == {
            "host": f"localhost:{upstream.port}",
            "accept-encoding": "identity",
            "content-length": "4",
            "authorization": "Bearer k",
        }


async def test_connection_is_kept(make: Make) -> None:
    async with Upstream(always(whole(b"ok"))) as upstream:
        client = make()
        for _ in range(3):
            assert await fetch(client, upstream.url) == b"ok"
        assert upstream.connections == 1
        assert client.open_connections == 1


async def test_large_request_and_response(make: Make) -> None:
    size = 3_000_000

    async def answer(visit: Visit) -> bool:
        await visit.send(whole(visit.body[::-1]))
        return True

    async with Upstream(answer) as upstream:
        body = bytes(range(250)) * (size // 250)
        response = await send(make(), post(upstream.url, body))
        assert await read_whole(response, size) == body[::-1]


async def test_body_comes_as_it_is_sent(make: Make) -> None:
    go_on = asyncio.Event()

    async def answer(visit: Visit) -> bool:
        await visit.send(STREAM_HEAD + chunk(b"one") + chunk(b"two"))
        await go_on.wait()
        await visit.send(chunk(b"three") + LAST_CHUNK)
        return True

    async with Upstream(answer) as upstream:
        client = make()
        response = await send(client, post(upstream.url))
        assert await response.read() == b"onetwo"
        go_on.set()
        assert await response.read() == b"three"
        assert await response.read() == b""
        assert await response.read() == b""
        go_on.set()
        assert await fetch(client, upstream.url) == b"onetwothree"
        assert upstream.connections == 1


async def test_byte_by_byte(make: Make) -> None:
    wire = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nEmpty:\r\nFolded: a\r\n"
        b"Upgrade: h2,h2c\r\nConnection: Upgrade\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nTrailer: t\r\n\r\n"
    )

    async def answer(visit: Visit) -> bool:
        for at in range(len(wire)):
            await visit.send(wire[at : at + 1])
        return True

    async with Upstream(answer) as upstream:
        client = make()
        for _ in range(2):
            response = await send(client, post(upstream.url))
            assert response.header("folded") == "a"
            assert response.header("empty") == response.header("link") == ""
            assert await read_whole(response, 100) == b"hello"
            assert response.header("trailer") == ""


async def test_body_that_the_close_ends(make: Make) -> None:
    async def answer(visit: Visit) -> None:
        await visit.send(b"HTTP/1.1 200 OK\r\n\r\nto the end")

    async with Upstream(answer) as upstream:
        client = make()
        assert await fetch(client, upstream.url) == b"to the end"
        await upstream.none_open()
        assert await fetch(client, upstream.url) == b"to the end"
        assert upstream.connections == 2


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        STREAM_HEAD + chunk(b"no terminator"),
        STREAM_HEAD + b"5\r\nhel",
    ],
    ids=["nothing", "head", "length", "terminator", "chunk"],
)
async def test_truncated_response_raises(make: Make, wire: bytes) -> None:
    async def answer(visit: Visit) -> None:
        await visit.send(wire)

    async with Upstream(answer) as upstream:
        with pytest.raises(ConnectionBroken):
            await fetch(make(), upstream.url)
        assert len(upstream.visits) == 1


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        STREAM_HEAD + b"nonsense\r\n",
        whole(b"one") + whole(b"two"),
    ],
    ids=["protocol", "switch", "headers", "header", "lengths", "chunk", "surplus"],
)
async def test_malformed_response_raises(make: Make, wire: bytes) -> None:
    async def answer(visit: Visit) -> None:
        await visit.send(wire)
        await visit.gone()

    async with Upstream(answer) as upstream:
        with pytest.raises(MalformedResponse):
            await fetch(make(), upstream.url)
        await upstream.none_open()


async def test_body_beyond_the_bound(make: Make) -> None:
    async with Upstream(always(whole(b"x" * 1000))) as upstream:
        client = make()
        with pytest.raises(BodyTooLarge):
            await read_whole(await send(client, post(upstream.url)), 999)


async def test_slow_reader_stops_the_upstream(make: Make) -> None:
    """The upstream can send what the buffers hold and no more until somebody reads."""
    total = 64 << 20
    sent = 0

    async def answer(visit: Visit) -> bool:
        nonlocal sent
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        block = bytes(1 << 20)
        while sent < total:
            await visit.send(block)
            sent += len(block)
        return True

    async with Upstream(answer) as upstream:
        client = make()
        response = await send(client, post(upstream.url))
        assert await fetch_length(response, 1) > 0
        for _ in range(200):
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        assert sent < total
        assert await fetch_length(response, total) > 0
        assert sent == total


async def fetch_length(response: Exchange, at_least: int) -> int:
    length = 0
    while length < at_least and (data := await response.read()):
        length += len(data)
    return length


async def test_kept_connection_that_the_server_closed_is_replaced(make: Make) -> None:
    async def answer(visit: Visit) -> bool | None:
        if visit.connection == 0 and len(upstream.visits) == 2:
            visit.reset()
            return None
        await visit.send(whole(b"%d" % visit.connection))
        return True

    async with Upstream(answer) as upstream:
        client = make()
        assert await fetch(client, upstream.url) == b"0"
        assert await fetch(client, upstream.url) == b"1"
        assert [visit.connection for visit in upstream.visits] == [0, 0, 1]


async def test_a_response_that_has_begun_is_not_asked_for_again(make: Make) -> None:
    async def answer(visit: Visit) -> bool | None:
        if len(upstream.visits) == 2:
            await visit.send(b"HTTP/1.1 2")
            return None
        await visit.send(whole(b"ok"))
        return True

    async with Upstream(answer) as upstream:
        client = make()
        assert await fetch(client, upstream.url) == b"ok"
        with pytest.raises(ConnectionBroken):
            await fetch(client, upstream.url)
        assert len(upstream.visits) == 2


async def test_new_connection_that_breaks_is_not_tried_again(make: Make) -> None:
    async def answer(visit: Visit) -> None:
        visit.reset()

    async with Upstream(answer) as upstream:
        with pytest.raises(ConnectionBroken):
            await fetch(make(), upstream.url)
        assert len(upstream.visits) == 1


async def test_close_and_cancel_close_the_connection_at_once(make: Make) -> None:
    arrived = asyncio.Queue[Visit]()

    async def answer(visit: Visit) -> None:
        if visit.path == "/head":
            arrived.put_nowait(visit)
        else:
            await visit.send(STREAM_HEAD + chunk(b"first"))
        await visit.gone()

    async with Upstream(answer) as upstream:
        client = make()
        response = await send(client, post(upstream.url))
        assert await response.read() == b"first"
        response.close()
        await asyncio.wait_for(upstream.none_open(), 0.1)

        response = await send(client, post(upstream.url))
        assert await response.read() == b"first"
        reading = asyncio.ensure_future(response.read())
        await turn()
        reading.cancel()
        await asyncio.wait_for(upstream.none_open(), 0.1)

        sending = asyncio.ensure_future(send(client, post(f"{upstream.url}/head")))
        await arrived.get()
        sending.cancel()
        await asyncio.wait_for(upstream.none_open(), 0.1)
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert client.open_connections == 0


async def test_cancel_at_any_moment_leaves_nothing(make: Make) -> None:
    async def answer(visit: Visit) -> None:
        await visit.send(STREAM_HEAD)
        await visit.gone()

    async with Upstream(answer) as upstream:
        client = make()
        for turns in range(15):
            sending = asyncio.ensure_future(send(client, post(upstream.url)))
            for _ in range(turns):
                await turn()
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await sending).close()
            await upstream.none_open()
            await turn()
            assert client.open_connections == 0


async def turn() -> None:
    """Let everything that is ready run once."""
    ready = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(ready.set_result, None)
    await ready


async def test_finish_keeps_a_connection_whose_body_ends_at_once(make: Make) -> None:
    go_on = asyncio.Event()

    async def answer(visit: Visit) -> bool:
        await visit.send(STREAM_HEAD + chunk(b"[DONE]"))
        await go_on.wait()
        await visit.send(chunk(b"more") + LAST_CHUNK)
        return True

    async with Upstream(answer) as upstream:
        client = make(max_connections=1)
        response = await send(client, post(upstream.url))
        assert await response.read() == b"[DONE]"
        response.finish()
        response.close()
        waiting = asyncio.ensure_future(fetch(client, upstream.url))
        await turn()
        go_on.set()
        assert await waiting == b"[DONE]more"
        assert upstream.connections == 1


async def test_finish_closes_a_connection_whose_body_does_not_end(make: Make) -> None:
    async def answer(visit: Visit) -> None:
        await visit.send(STREAM_HEAD + chunk(b"[DONE]"))
        await visit.gone()

    async with Upstream(answer) as upstream:
        clock = ManualClock()
        client = make(clock=clock)
        response = await send(client, post(upstream.url))
        await response.read()
        response.finish()
        clock.advance(1.5)
        await upstream.none_open()
        assert client.open_connections == 0 or await drained(client)


async def drained(client: HttpClient) -> bool:
    await turn()
    return client.open_connections == 0


async def test_idle_connection_expires(make: Make) -> None:
    async with Upstream(always(whole(b"ok"))) as upstream:
        clock = ManualClock()
        client = make(clock=clock, max_idle_s=30)
        await fetch(client, upstream.url)
        clock.advance(29)
        assert client.open_connections == 1
        clock.advance(2)
        await upstream.none_open()
        await turn()
        assert client.open_connections == 0


async def test_requests_wait_for_a_free_connection(make: Make) -> None:
    async with Upstream(always(whole(b"ok"))) as upstream:
        client = make(max_connections=2)
        bodies = await asyncio.gather(*(fetch(client, upstream.url) for _ in range(50)))
        assert bodies == [b"ok"] * 50
        assert upstream.connections == 2


async def test_wait_for_a_free_connection_is_bounded(make: Make) -> None:
    async def answer(visit: Visit) -> None:
        await visit.gone()

    async with Upstream(answer) as upstream:
        clock = ManualClock()
        client = make(clock=clock, max_connections=1, max_wait_s=10, max_waiting=2)
        holder = asyncio.ensure_future(send(client, post(upstream.url)))
        while not upstream.visits:
            await turn()
        waiting = [asyncio.ensure_future(send(client, post(upstream.url))) for _ in range(2)]
        await clock.until_waiting(2)
        with pytest.raises(NoFreeConnection):
            await send(client, post(upstream.url))
        clock.advance(11)
        for waiter in waiting:
            with pytest.raises(NoFreeConnection):
                await waiter
        holder.cancel()
        await upstream.none_open()


async def test_cancelled_waiter_passes_its_turn_on(make: Make) -> None:
    free = asyncio.Event()

    async def answer(visit: Visit) -> bool:
        if len(upstream.visits) == 1:
            await free.wait()
        await visit.send(whole(b"ok"))
        return True

    async with Upstream(answer) as upstream:
        clock = ManualClock()
        client = make(clock=clock, max_connections=1)
        first = asyncio.ensure_future(fetch(client, upstream.url))
        while not upstream.visits:
            await turn()
        second = asyncio.ensure_future(fetch(client, upstream.url))
        await clock.until_waiting(1)
        third = asyncio.ensure_future(fetch(client, upstream.url))
        await clock.until_waiting(2)
        first.add_done_callback(lambda _: second.cancel())
        free.set()
        assert await first == b"ok"
        assert await third == b"ok"
        assert second.cancelled() or await second == b"ok"


async def test_an_idle_connection_gives_way_to_another_origin(make: Make) -> None:
    async with Upstream(always(whole(b"a"))) as one, Upstream(always(whole(b"b"))) as two:
        client = make(max_connections=1)
        assert await fetch(client, one.url) == b"a"
        assert await fetch(client, two.url) == b"b"
        await one.none_open()
        assert client.open_connections == 1


async def test_refused_and_unknown_host(make: Make) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(ConnectFailed):
            await fetch(make(), f"http://127.0.0.1:{port}")
    with pytest.raises(ConnectFailed):
        await fetch(make(), "http://no-such-host.invalid")
    with pytest.raises(ConnectFailed):
        await fetch(make(), f"http://{'x' * 70}.invalid")


async def test_connect_timeout(make: Make) -> None:
    """A server that accepts and never answers the TLS handshake."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        clock = ManualClock()
        client = make(clock=clock, tls=ssl.create_default_context())
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        sending = asyncio.ensure_future(send(client, post(url), 3))
        await clock.until_waiting(1)
        clock.advance(4)
        with pytest.raises(ConnectTimedOut):
            await sending
        assert client.open_connections == 0


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_tls(make: Make, authority: trustme.CA) -> None:
    async with Upstream(always(whole(b"ok")), tls=server_tls(authority)) as upstream:
        client = make(tls=trusting(authority))
        assert await fetch(client, upstream.url) == b"ok"
        assert await fetch(client, upstream.url) == b"ok"
        assert upstream.connections == 1
        response = await send(client, post(upstream.url))
        response.close()


async def test_tls_without_trust(make: Make, authority: trustme.CA) -> None:
    async with Upstream(always(whole(b"ok")), tls=server_tls(authority)) as upstream:
        with pytest.raises(TlsFailed, match="CERTIFICATE_VERIFY_FAILED"):
            await fetch(make(tls=ssl.create_default_context()), upstream.url)
        assert not upstream.visits
    async with Upstream(always(whole(b"ok")), tls=server_tls(authority, "other")) as upstream:
        with pytest.raises(TlsFailed):
            await fetch(make(tls=trusting(authority)), upstream.url)


def tunnel(target_port: int, wanted: dict[str, str]) -> Callable[[Visit], object]:
    async def answer(visit: Visit) -> None:
        if any(visit.headers.get(name) != value for name, value in wanted.items()):
            await visit.send(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        assert (visit.method, visit.path) == ("CONNECT", f"localhost:{target_port}")
        reader, writer = await asyncio.open_connection("127.0.0.1", target_port)
        await visit.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = asyncio.ensure_future(pump(reader, visit._writer))
        await pump(visit._reader, writer)
        await back

    return answer


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_proxy(make: Make, authority: trustme.CA, secure: bool) -> None:
    tls = server_tls(authority) if secure else None
    async with Upstream(always(whole(b"ok")), tls=tls) as upstream:
        wanted = {"proxy-authorization": "Basic dTpwQHM="}
        async with Upstream(tunnel(upstream.port, wanted)) as proxy:  # type: ignore[arg-type]
            url = f"http://u:p%40s@localhost:{proxy.port}"
            client = make(tls=trusting(authority), proxy=proxy_of(url))
            assert await fetch(client, upstream.url) == b"ok"
            assert await fetch(client, upstream.url) == b"ok"
            assert (proxy.connections, upstream.connections) == (1, 1)
            assert "proxy-authorization" not in upstream.visits[0].headers
            await client.aclose()
            await upstream.none_open()

            refused = make(
                tls=trusting(authority), proxy=proxy_of(f"http://localhost:{proxy.port}")
            )
            with pytest.raises(ConnectFailed, match="407"):
                await fetch(refused, upstream.url)
            assert refused.open_connections == 0


async def test_close_breaks_what_is_open(make: Make) -> None:
    async def answer(visit: Visit) -> None:
        if visit.path == "/stream":
            await visit.send(STREAM_HEAD + chunk(b"first"))
        await visit.gone()

    async with Upstream(answer) as upstream:
        client = make(max_connections=2)
        response = await send(client, post(f"{upstream.url}/stream"))
        assert await response.read() == b"first"
        held = asyncio.ensure_future(send(client, post(upstream.url)))
        while len(upstream.visits) < 2:
            await turn()
        waiting = asyncio.ensure_future(send(client, post(upstream.url)))
        await turn()
        await client.aclose()
        await upstream.none_open()
        with pytest.raises(ConnectionBroken):
            await response.read()
        with pytest.raises(ConnectionBroken):
            await held
        with pytest.raises(TransportClosed):
            await waiting
        with pytest.raises(TransportClosed):
            await send(client, post(upstream.url))


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "\N{SNOWMAN}"])
async def test_header_that_breaks_the_framing_is_not_sent(make: Make, value: str) -> None:
    async with Upstream(always(whole(b"ok"))) as upstream:
        client = make()
        with pytest.raises(UnsendableRequest):
            await send(client, post(upstream.url, headers=(("x", value),)))
        assert not upstream.visits


@pytest.mark.parametrize(
    ("url", "origin", "path", "authority"),
    [
        ("https://api.openai.com/v1/", Origin(True, "api.openai.com", 443), "/v1", None),
        ("http://localhost:80", Origin(False, "localhost", 80), "", "localhost"),
        ("http://[::1]:8000/v1", Origin(False, "::1", 8000), "/v1", "[::1]:8000"),
    ],
)
def test_split_url(url: str, origin: Origin, path: str, authority: str | None) -> None:
    assert split_url(url) == (origin, path)
    assert origin.authority == (authority or origin.host)


@pytest.mark.parametrize(
    "url", ["", "localhost", "ftp://x", "http://", "http://u:p@x", "http://x?y"]
)
def test_url_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        split_url(url)
