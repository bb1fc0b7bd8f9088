"""A Redis behind TLS: used by those who trust it, by its name, and out of use for all others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trustme
from redis.asyncio import Redis

from interlingua_gateway.app.stores import Stores
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.quota import Grant, Refusal
from interlingua_gateway.store.redis.connection import RedisLink, RedisSettings, StoreDown
from tests.support.gateway import configuration, scripted
from tests.support.quotas import one, rate
from tests.support.redis_server import RedisServer, redis_server


class Secured(msgspec.Struct):
    """`server` also listens on `port` with a certificate for `localhost` that `ca_file` signed."""

    server: RedisServer
    port: int
    ca_file: Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    issued.private_key_pem.write_to_path(directory / "key.pem")
    issued.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {
        "bind": "127.0.0.1",
        "tls-port": str(port),
        "tls-cert-file": str(directory / "cert.pem"),
        "tls-key-file": str(directory / "key.pem"),
        "tls-ca-cert-file": str(directory / "ca.pem"),
        "tls-auth-clients": "no",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with redis_server(*words) as server:
        yield Secured(server, port, directory / "ca.pem")


async def test_counters_behind_tls(secured: Secured, tmp_path: Path) -> None:
    rule = {"name": "all", "requests_per_minute": 1}
    redis = {
        "url": f"rediss://localhost:{secured.port}",
        "ca_file": str(secured.ca_file),
        "timeout_s": 5,
    }
    config = configuration({**scripted(), "limits": {"rules": [rule]}, "redis": redis}, tmp_path)
    stores = Stores(config, SystemClock())
    bucket = rate(per_minute=1, burst=1)
    assert isinstance(await stores.counters.reserve(one(bucket)), Grant)
    assert isinstance(await stores.counters.reserve(one(bucket)), Refusal)
    assert stores.link is not None
    assert stores.link.up
    await stores.aclose()
    client = Redis.from_url(secured.server.url)
    assert any(bucket.key.encode() in key for key in await client.keys())
    await client.aclose()


@pytest.mark.parametrize(
    ("url", "trusting"),
    [
        ("rediss://localhost:{port}", False),
        ("rediss://127.0.0.1:{port}", True),
        ("redis://localhost:{port}", False),
    ],
    ids=["an unknown authority", "another name", "no TLS"],
)
async def test_who_does_not_trust_it_leaves_it_alone(
    secured: Secured, url: str, trusting: bool
) -> None:
    settings = RedisSettings(
        url=url.format(port=secured.port),
        ca_file=str(secured.ca_file) if trusting else None,
        timeout_s=5,
    )
    link = RedisLink(settings, SystemClock())
    with pytest.raises(StoreDown):
        await link.do(lambda client: client.ping())
    assert not link.up
    await link.aclose()
