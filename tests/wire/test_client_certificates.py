"""Callers who are known by their client certificates, over real mutual TLS."""

from __future__ import annotations

import datetime
from pathlib import Path

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from interlingua.v1 import gateway_service_pb2_grpc
from tests.support.failures import failure
from tests.support.gateway import Running, scripted
from tests.support.requests import ask

RULES = [
    {"uri": "spiffe://example.org/ns/{tenant}/sa/*", "models": ["default"]},
    {"dns": "reports.internal", "tenant": "reports", "scopes": ["usage"]},
]


def client(authority: trustme.CA, *names: x509.GeneralName) -> tuple[bytes, bytes]:
    """Key and certificate of a client that `authority` has signed; trustme knows no URIs."""
    signer = load_pem_private_key(authority.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    own = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "spiffe://example.org")]))
        .issuer_name(issuer.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )
    key = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key, certificate.public_bytes(Encoding.PEM)


class Stage:
    """A gateway that asks for certificates of `authority`."""

    def __init__(self, gateway: Running, authority: trustme.CA) -> None:
        self.gateway = gateway
        self.authority = authority

    def calls(self, *names: x509.GeneralName) -> gateway_service_pb2_grpc.GatewayServiceStub:
        key, certificate = client(self.authority, *names)
        root = self.authority.cert_pem.bytes()
        credentials = grpc.ssl_channel_credentials(root, key, certificate)
        options = [
            ("grpc.ssl_target_name_override", "localhost"),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        channel = grpc.aio.secure_channel(self.gateway.address, credentials, options)
        return gateway_service_pb2_grpc.GatewayServiceStub(channel)


@pytest.fixture
async def stage(start, tmp_path: Path) -> Stage:
    authority = trustme.CA()
    own = authority.issue_cert("localhost")
    files = {
        "certificate_file": own.cert_chain_pems[0].bytes(),
        "key_file": own.private_key_pem.bytes(),
        "client_ca_file": authority.cert_pem.bytes(),
    }
    tls: dict[str, object] = {"require_client_certificate": True}
    for name, content in files.items():
        tls[name] = str(tmp_path / name)
        (tmp_path / name).write_bytes(content)
    tree = {
        **scripted(),
        "server": {"listen": ["127.0.0.1:0"], "tls": tls},
        "auth": {"certificates": RULES, "anonymous": [], "admin_key": "env:ADMIN"},
    }
    return Stage(await start(tree, environment={"ADMIN": "a" * 40}), authority)


async def test_a_spiffe_id_names_the_tenant(stage: Stage) -> None:
    calls = stage.calls(x509.UniformResourceIdentifier("spiffe://example.org/ns/acme/sa/web"))
    assert (await calls.Generate(ask("hi"))).candidates
    failed = await failure(calls.Generate(ask("hi", "echo")))
    assert failed.reason == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (x509.UniformResourceIdentifier("spiffe://evil.org/ns/acme/sa/web"), "CREDENTIALS_MISSING"),
        (x509.UniformResourceIdentifier("spiffe://example.org/ns/a/b/sa/w"), "CREDENTIALS_MISSING"),
        (x509.DNSName("spiffe://example.org/ns/acme/sa/web"), "CREDENTIALS_MISSING"),
        (x509.DNSName("reports.internal"), "PERMISSION_DENIED"),
    ],
)
async def test_what_opens_nothing(stage: Stage, name: x509.GeneralName, reason: str) -> None:
    assert (await failure(stage.calls(name).Generate(ask()))).reason == reason


async def test_a_token_goes_before_a_certificate(stage: Stage) -> None:
    calls = stage.calls(x509.UniformResourceIdentifier("spiffe://example.org/ns/acme/sa/web"))
    admin, wrong = (("x-api-key", "a" * 40),), (("x-api-key", "b" * 40),)
    assert (await calls.Generate(ask("hi", "echo"), metadata=admin)).candidates
    failed = await failure(calls.Generate(ask("hi"), metadata=wrong))
    assert failed.reason == "CREDENTIALS_INVALID"
