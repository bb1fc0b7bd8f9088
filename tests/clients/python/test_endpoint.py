"""Addresses, TLS, credentials and timeouts."""

import asyncio
import json
from pathlib import Path

import grpc
import pytest
import trustme

from interlingua import TLS, AsyncClient, Client, UnavailableError
from interlingua.endpoint import DEFAULT_ADDRESS, SERVICE_CONFIG, TIMEOUTS_S, Endpoint
from interlingua.v1.admin_service_pb2 import DESCRIPTOR as ADMIN
from interlingua.v1.feedback_service_pb2 import DESCRIPTOR as FEEDBACK
from interlingua.v1.gateway_service_pb2 import DESCRIPTOR as GATEWAY
from interlingua.v1.model_service_pb2 import DESCRIPTOR as MODELS
from interlingua.v1.usage_service_pb2 import DESCRIPTOR as USAGE
from tests.clients.python.scripted import serve


def test_the_address_comes_from_the_environment(monkeypatch, script, tmp_path):
    address = f"unix:{tmp_path}/gateway.sock"
    monkeypatch.setenv("INTERLINGUA_ADDRESS", address)
    with serve(script, address), Client() as client:
        assert client.generate("x").text == "hello"
    assert Endpoint("other:1", None, None, None).address == "other:1"
    monkeypatch.delenv("INTERLINGUA_ADDRESS")
    assert Endpoint(None, None, None, None).address == DEFAULT_ADDRESS


def test_tcp(monkeypatch, script):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serve(script, "127.0.0.1:0") as port, Client(f"127.0.0.1:{port}") as client:
        assert client.generate("x").text == "hello"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path) -> dict[str, str]:
    """PEM files of a client: what TLS.from_files takes."""
    own = authority.issue_cert("client.test")
    authority.cert_pem.write_to_path(str(tmp_path / "root.pem"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "chain.pem"))
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    return {
        "root_certificates": str(tmp_path / "root.pem"),
        "certificate_chain": str(tmp_path / "chain.pem"),
        "private_key": str(tmp_path / "key.pem"),
    }


def server_credentials(authority: trustme.CA, host: str) -> grpc.ServerCredentials:
    """Credentials of a server that asks for the client's certificate too."""
    own = authority.issue_cert(host)
    pair = own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes()
    root = authority.cert_pem.bytes()
    return grpc.ssl_server_credentials([pair], root, require_client_auth=True)


def test_mutual_tls(script, authority, files):
    credentials = server_credentials(authority, "localhost")
    with serve(script, "127.0.0.1:0", credentials) as port:
        with Client(f"localhost:{port}", tls=TLS.from_files(**files), api_key="k") as client:
            assert client.generate("x").text == "hello"
        assert script.metadata["authorization"] == "Bearer k"
        roots_only = TLS.from_files(files["root_certificates"])
        with Client(f"localhost:{port}", tls=roots_only) as client, pytest.raises(UnavailableError):
            client.generate("x")


async def test_mutual_tls_with_another_name(script, authority, files):
    credentials = server_credentials(authority, "gateway.test")
    tls = TLS.from_files(**files, server_name="gateway.test")
    with serve(script, "127.0.0.1:0", credentials) as port:
        async with AsyncClient(f"127.0.0.1:{port}", tls=tls) as client:
            assert (await client.generate("x")).text == "hello"
        unnamed = TLS.from_files(**files)
        async with AsyncClient(f"127.0.0.1:{port}", tls=unnamed) as client:
            with pytest.raises(UnavailableError):
                await client.generate("x")


def test_usual_roots_do_not_trust_a_private_authority(script, authority):
    credentials = server_credentials(authority, "localhost")
    with (
        serve(script, "127.0.0.1:0", credentials) as port,
        Client(f"localhost:{port}", tls=True) as client,
        pytest.raises(UnavailableError),
    ):
        client.generate("x")


def test_half_a_pair():
    with pytest.raises(ValueError, match="together"):
        TLS(certificate_chain=b"x")


def test_the_key_is_in_no_text():
    assert "canary" not in repr(TLS(certificate_chain=b"x", private_key=b"canary"))
    with pytest.raises(ValueError, match="api_key") as caught:
        Client(api_key="canary\n")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_timeouts_are_positive(timeout_s):
    with pytest.raises(ValueError, match="timeout_s"):
        Client("x:1", timeout_s=timeout_s)
    endpoint = Endpoint("x:1", None, None, None)
    with pytest.raises(ValueError, match="timeout_s"):
        endpoint.timeout_s("Generate", {"timeout_s": timeout_s})


def test_whose_timeout_counts():
    endpoint = Endpoint("x:1", None, None, 7)
    assert endpoint.timeout_s("Generate", {"timeout_s": 3}) == 3
    assert endpoint.timeout_s("Generate", {"timeout_s": None}) == 7
    assert Endpoint("x:1", None, None, None).timeout_s("Embed", {}) == TIMEOUTS_S["Embed"]


def test_every_method_has_a_timeout_and_every_service_retries():
    services = [
        GATEWAY.services_by_name["GatewayService"],
        MODELS.services_by_name["ModelService"],
    ]
    # What these change is not to be sent twice; reports are for those who wait.
    others = [
        USAGE.services_by_name["UsageService"],
        FEEDBACK.services_by_name["FeedbackService"],
        ADMIN.services_by_name["AdminService"],
    ]
    methods = {method.name for service in [*services, *others] for method in service.methods}
    assert methods == set(TIMEOUTS_S)
    config = json.loads(json.dumps(SERVICE_CONFIG))
    named = {entry["service"] for entry in config["methodConfig"][0]["name"]}
    assert named == {service.full_name for service in services}


def test_a_client_made_outside_a_loop(script, address):
    client = AsyncClient(address)

    async def use() -> str:
        async with client:
            return (await client.generate("x")).text

    assert asyncio.run(use()) == "hello"


def test_the_service_config_is_that_of_all_languages():
    shared = Path(__file__).parents[3] / "clients" / "service_config.json"
    assert json.loads(shared.read_text()) == SERVICE_CONFIG


def test_a_token_source_is_asked_at_every_call(script, tmp_path):
    tokens = iter(["one", "two", "three\n"])
    address = f"unix:{tmp_path}/gateway.sock"
    with serve(script, address), Client(address, api_key=lambda: next(tokens)) as client:
        for token in ("one", "two"):
            client.generate("x")
            assert script.metadata["authorization"] == f"Bearer {token}"
        with pytest.raises(ValueError, match="line break"):
            client.generate("x")
