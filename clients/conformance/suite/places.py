"""What stands around the gateway: a mirror of metadata, an address that never answers, TLS."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import trustme
from cryptography.hazmat.primitives import serialization

from interlingua.v1.content_pb2 import Part
from interlingua.v1.generate_pb2 import (
    FINISH_REASON_STOP,
    Candidate,
    Finish,
    GenerateRequest,
    GenerateResponse,
    StreamCompleted,
    StreamGenerateResponse,
    StreamStart,
)

SERVER_NAME = "gateway.test"
MIRRORED = ("authorization", "traceparent")
STOP = Finish(reason=FINISH_REASON_STOP)


def mirror(stack: ExitStack) -> str:
    """A server that answers with what it was sent beside the request; returns its address."""
    handlers = {
        "Generate": grpc.unary_unary_rpc_method_handler(
            _generate, GenerateRequest.FromString, GenerateResponse.SerializeToString
        ),
        "StreamGenerate": grpc.unary_stream_rpc_method_handler(
            _stream, GenerateRequest.FromString, StreamGenerateResponse.SerializeToString
        ),
    }
    service = "interlingua.v1.GatewayService"
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    stack.callback(lambda: server.stop(None).wait())
    return f"127.0.0.1:{port}"


def _generate(request: GenerateRequest, context: grpc.ServicerContext) -> GenerateResponse:
    parts = [Part(text=_seen(context))]
    return GenerateResponse(candidates=[Candidate(parts=parts, finish=STOP)])


def _stream(
    request: GenerateRequest, context: grpc.ServicerContext
) -> Iterator[StreamGenerateResponse]:
    yield StreamGenerateResponse(sequence=0, start=StreamStart())
    yield StreamGenerateResponse(sequence=1, text_delta=_seen(context))
    yield StreamGenerateResponse(sequence=2, finish=STOP)
    yield StreamGenerateResponse(sequence=3, completed=StreamCompleted())


def _seen(context: grpc.ServicerContext) -> str:
    """As JSON: some of the metadata, and how many seconds the call may take, to the next ten."""
    sent = {
        key: str(value)
        for key, value in context.invocation_metadata()
        if key in MIRRORED or key.startswith("x-")
    }
    return json.dumps({"metadata": sent, "seconds": round(context.time_remaining() or 0, -1)})


def nowhere(stack: ExitStack) -> str:
    """A URL to which no connection comes about: its queue of connections is full."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    for _ in range(4):
        knock = stack.enter_context(socket.socket())
        knock.setblocking(False)
        knock.connect_ex(address)
    return f"http://127.0.0.1:{address[1]}/v1"


def certificates(directory: Path) -> dict[str, str]:
    """Paths of PEM files: the authority, and certificate and key of gateway and client."""
    authority = trustme.CA()
    gateway, client = authority.issue_cert(SERVER_NAME), authority.issue_cert("client@conformance")
    paths = {
        "CA": directory / "ca.pem",
        "OTHER_CA": directory / "other.pem",
        "GATEWAY_CERT": directory / "gateway.pem",
        "GATEWAY_KEY": directory / "gateway.key",
        "CERT": directory / "client.pem",
        "KEY": directory / "client.key",
    }
    authority.cert_pem.write_to_path(paths["CA"])
    trustme.CA().cert_pem.write_to_path(paths["OTHER_CA"])
    gateway.cert_chain_pems[0].write_to_path(paths["GATEWAY_CERT"])
    gateway.private_key_pem.write_to_path(paths["GATEWAY_KEY"])
    client.cert_chain_pems[0].write_to_path(paths["CERT"])
    paths["KEY"].write_bytes(_pkcs8(client.private_key_pem.bytes()))
    return {name: str(path) for name, path in paths.items()}


def _pkcs8(key: bytes) -> bytes:
    """A key in the one form that every language's TLS reads."""
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
