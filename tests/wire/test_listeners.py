"""Where the gateway listens: Unix sockets, TCP, TLS, mutual TLS; certificates that change."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import grpc
import pytest
import trustme

from interlingua.v1 import gateway_service_pb2_grpc
from interlingua_gateway.core.errors import InternalError
from tests.support.gateway import running, scripted
from tests.support.requests import ask


def server(**options: object) -> dict[str, object]:
    return {**scripted(), "server": {"listen": ["127.0.0.1:0"], **options}}


async def answer(channel: grpc.aio.Channel, text: str = "hello") -> str:
    async with channel:
        stub = gateway_service_pb2_grpc.GatewayServiceStub(channel)
        reply = await stub.Generate(ask(text), timeout=5)
        return reply.candidates[0].parts[0].text


async def test_a_gateway_listens_on_several_addresses(start, tmp_path):
    tree = server(listen=["127.0.0.1:0", f"unix:{tmp_path}/s", "[::1]:0"])
    gateway = await start(tree)
    tcp, unix, six = gateway.built.grpc.addresses
    assert tcp.startswith("127.0.0.1:")
    assert not tcp.endswith(":0")
    for address in (tcp, unix, f"ipv6:{six}"):
        assert await answer(grpc.aio.insecure_channel(address)) == "hello"


async def test_a_port_in_use_is_a_clear_error(start, tmp_path):
    first = await start(server())
    with pytest.raises(InternalError, match=f"Cannot listen on {first.address}"):
        async with running(server(listen=[first.address]), tmp_path):
            pass


async def test_a_port_may_be_shared_on_purpose(start):
    first = await start(server(so_reuseport=True))
    second = await start(server(so_reuseport=True, listen=[first.address]))
    assert second.address == first.address


class Files:
    """The certificate files of a server that `authority` signed."""

    def __init__(self, directory: Path, authority: trustme.CA) -> None:
        self.certificate = directory / "server.pem"
        self.key = directory / "server.key"
        self.issue(authority)

    def issue(self, authority: trustme.CA) -> None:
        """Put a new certificate and key in the place of the old ones."""
        issued = authority.issue_cert("localhost")
        self.replace(self.key, issued.private_key_pem.bytes())
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        self.replace(self.certificate, chain)

    def replace(self, file: Path, content: bytes) -> None:
        fresh = file.with_suffix(".new")
        fresh.write_bytes(content)
        os.replace(fresh, file)  # noqa: PTH105 - what an issuer of certificates does

    def tree(self, **more: object) -> dict[str, object]:
        files = {"certificate_file": str(self.certificate), "key_file": str(self.key)}
        return server(tls={**files, **more})


def secure(address: str, trusted: trustme.CA, client: trustme.LeafCert | None = None):
    """A new connection of a client that trusts `trusted`."""
    credentials = grpc.ssl_channel_credentials(
        trusted.cert_pem.bytes(),
        client.private_key_pem.bytes() if client else None,
        client.cert_chain_pems[0].bytes() if client else None,
    )
    options = [
        ("grpc.ssl_target_name_override", "localhost"),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    return grpc.aio.secure_channel(address, credentials, options)


async def refused(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_tls(start, tmp_path):
    authority = trustme.CA()
    gateway = await start(Files(tmp_path, authority).tree())
    assert await answer(secure(gateway.address, authority)) == "hello"
    await refused(secure(gateway.address, trustme.CA()))
    await refused(grpc.aio.insecure_channel(gateway.address))


async def test_a_new_certificate_is_used_by_the_next_connection(start, tmp_path):
    old, new = trustme.CA(), trustme.CA()
    files = Files(tmp_path, old)
    gateway = await start(files.tree())
    async with secure(gateway.address, old) as kept:
        stub = gateway_service_pb2_grpc.GatewayServiceStub(kept)
        await stub.Generate(ask(), timeout=5)
        files.issue(new)
        assert await answer(secure(gateway.address, new)) == "hello"
        await refused(secure(gateway.address, old))
        assert (await stub.Generate(ask("kept"), timeout=5)).candidates


async def test_broken_files_leave_the_last_good_certificate(start, tmp_path):
    authority = trustme.CA()
    files = Files(tmp_path, authority)
    gateway = await start(files.tree())
    good = files.certificate.read_bytes()
    for damage in (b"nonsense", b"", good[: len(good) // 2]):
        files.replace(files.certificate, damage)
        assert await answer(secure(gateway.address, authority)) == "hello"
    files.certificate.unlink()
    assert await answer(secure(gateway.address, authority)) == "hello"
    assert "cannot read TLS files" in gateway.log
    fresh = trustme.CA()
    files.issue(fresh)
    assert await answer(secure(gateway.address, fresh)) == "hello"


async def test_mutual_tls_asks_for_a_certificate_of_the_client(start, tmp_path):
    authority, clients, strangers = trustme.CA(), trustme.CA(), trustme.CA()
    ca_file = tmp_path / "clients.pem"
    ca_file.write_bytes(clients.cert_pem.bytes())
    tree = Files(tmp_path, authority).tree(
        client_ca_file=str(ca_file), require_client_certificate=True
    )
    gateway = await start(tree)
    known, unknown = clients.issue_cert("c@example.org"), strangers.issue_cert("c@example.org")
    assert await answer(secure(gateway.address, authority, known)) == "hello"
    await refused(secure(gateway.address, authority))
    await refused(secure(gateway.address, authority, unknown))


async def test_a_unix_socket_beside_tls_speaks_plain_text(start, tmp_path):
    tree = Files(tmp_path, trustme.CA()).tree()
    tree["server"]["listen"] = [f"unix:{tmp_path}/s"]
    gateway = await start(tree)
    assert await answer(grpc.aio.insecure_channel(gateway.address)) == "hello"


async def test_a_second_gateway_does_not_take_the_socket_of_the_first(start, tmp_path):
    tree = scripted()
    tree["server"] = {"listen": [f"unix:{tmp_path}/taken"]}
    first = await start(tree)
    with pytest.raises(InternalError, match="in use"):
        async with running(tree, tmp_path):
            pass
    assert await answer(grpc.aio.insecure_channel(first.address)) == "hello"


@pytest.mark.parametrize("content", [None, b"nonsense"])
async def test_files_that_cannot_be_used_are_a_clear_error(tmp_path, content):
    files = Files(tmp_path, trustme.CA())
    if content is None:
        files.key.unlink()
    else:
        files.key.write_bytes(content)
    with pytest.raises(InternalError, match="TLS"):
        async with running(files.tree(), tmp_path):
            pass


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY, ACK = 4, 6, 7, 1
PINGS = 10


def frame(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """An HTTP/2 frame of the whole connection (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + bytes(4) + payload


async def pinged(address: str) -> bytes:
    """Why the connection was ended after many pings, or nothing if all were answered."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(PREFACE + frame(SETTINGS) + frame(SETTINGS, flags=ACK))
    try:
        for number in range(PINGS):
            writer.write(frame(PING, number.to_bytes(8, "big")))
            kind, flags = SETTINGS, 0
            while (kind, flags) != (PING, ACK):
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags = head[3], head[4]
                if kind == GOAWAY:
                    return payload[8:]
    finally:
        writer.close()
    return b""


async def test_a_client_that_pings_often_is_tolerated(start):
    gateway = await start(server())
    assert await pinged(gateway.address) == b""


async def test_the_core_reads_the_setting_for_pings(start):
    strict = {"min_ping_interval_without_data_s": 300, "max_ping_strikes": 1}
    gateway = await start(server(keepalive=strict))
    assert await pinged(gateway.address) == b"too_many_pings"
