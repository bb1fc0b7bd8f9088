"""Metrics and probes over HTTP: /metrics for Prometheus, /healthz and /readyz for orchestrators."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Final, TypeAlias

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import InternalError

Message: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

PLAIN: Final = "text/plain; charset=utf-8"


class Probes:
    """The ASGI application. `ready` says whether calls are welcome now."""

    def __init__(self, registry: CollectorRegistry, ready: Callable[[], bool]) -> None:
        self._registry = registry
        self._ready = ready

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        status, kind, body = self._answer(scope)
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if _is_head(scope) else body})

    def _answer(self, scope: Message) -> tuple[int, str, bytes]:
        if scope["method"] not in ("GET", "HEAD"):
            return 405, PLAIN, b"only GET is served\n"
        if scope["path"] == "/metrics":
            encode, kind = choose_encoder(_accept(scope))
            return 200, kind, encode(self._registry)
        if scope["path"] == "/healthz":
            return 200, PLAIN, b"ok\n"
        if scope["path"] == "/readyz":
            return (200, PLAIN, b"ready\n") if self._ready() else (503, PLAIN, b"not ready\n")
        return 404, PLAIN, b"there are /metrics, /healthz and /readyz\n"


def _is_head(scope: Message) -> bool:
    return scope["method"] == "HEAD"


def _accept(scope: Message) -> str:
    headers = scope["headers"]
    assert isinstance(headers, list)
    values: list[bytes] = [value for name, value in headers if name == b"accept"]
    return ",".join(value.decode("latin-1") for value in values)


class _Quiet(uvicorn.Server):
    """A server that leaves the process's signals alone: the lifecycle owns them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves the application on one address; `address` is the real one once it has started."""

    def __init__(self, app: Probes, listen: str) -> None:
        self._listen = listen
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            http="httptools",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Quiet(config)
        self._tasks = Tasks()
        self.address = listen

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            InternalError: the address cannot be listened on.
        """
        host, _, port = self._listen.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), int(port)))
            listener.listen()
        except OSError as error:
            listener.close()
            raise InternalError(
                f"Cannot listen on {self._listen}: it is in use or not an address of this machine."
            ) from error
        self.address = f"{host}:{listener.getsockname()[1]}"
        self._tasks.start(self._server.serve(sockets=[listener]), "http")

    async def stop(self) -> None:
        """Close the listener and the connections."""
        self._server.should_exit = True
        await self._tasks.joined()
