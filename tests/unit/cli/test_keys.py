"""keys and tenants, against a real gateway that asks for credentials."""

import json
import signal
from collections.abc import Iterator

import pytest

from tests.unit.cli.conftest import Cli, start, until_ready

ADMIN = "adm-0123456789abcdef0123456789abcdef"
CONFIG = """
server: {{listen: ["unix:{directory}/gateway.sock"], drain: {{delay_s: 0}}}}
auth: {{admin_key: "file:{directory}/admin", anonymous: []}}
http: {{listen: null}}
data_dir: {directory}/data
providers: {{stage: {{kind: scripted}}}}
models:
  - {{name: echo, aliases: [default], targets: [{{provider: stage, model: echo}}]}}
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("keys")
    (directory / "admin").write_text(ADMIN)
    file = directory / "gateway.yaml"
    file.write_text(CONFIG.format(directory=directory))
    with start("serve", "--config", str(file)) as process:
        until_ready(process)
        yield f"unix:{directory}/gateway.sock"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


@pytest.fixture
def admin(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("INTERLINGUA_API_KEY", ADMIN)
    return cli


def test_the_life_of_a_key(admin: Cli) -> None:
    made = admin("tenants", "put", "acme", "--name", "Acme", "--tier", "gold", "-m", "echo")
    assert made.stdout.splitlines()[1].split()[:4] == ["acme", "Acme", "gold", "echo"]
    created = admin("keys", "create", "--tenant", "acme", "--name", "laptop", "--ttl", "90d")
    secret = created.stdout.strip()
    name = secret.split("_")[1]
    assert f"key {name} of acme made" in created.stderr
    assert admin("call", "hello", "--api-key", secret).stdout == "hello\n"
    listed = admin("keys", "list", "--tenant", "acme").stdout
    assert listed.splitlines()[1].split()[:4] == [name, "acme", "laptop", "inference"]
    assert secret.split("_")[2] not in listed
    rotated = admin("keys", "rotate", name, "--overlap", "1h")
    assert "old secret works for 1h more" in rotated.stderr
    for token in (secret, rotated.stdout.strip()):
        assert admin("call", "hello", "--api-key", token).stdout == "hello\n"
    assert admin("keys", "revoke", name).stdout == f"{name} revoked\n"
    refused = admin("call", "hello", "--api-key", secret)
    assert refused.exit_code == 1
    assert "The key was revoked." in refused.stderr
    assert "INTERLINGUA_API_KEY" in refused.stderr
    assert name not in admin("keys", "list").stdout
    assert "revoked 20" in admin("keys", "list", "--all").stdout
    assert admin("tenants", "delete", "acme").stdout == "acme ended\n"
    assert "acme" not in admin("tenants", "list").stdout


def test_json_for_programs(admin: Cli) -> None:
    tenant = json.loads(admin("tenants", "put", "json", "--json").stdout)
    assert tenant["id"] == "json"
    created = admin("keys", "create", "--tenant", "json", "--scope", "usage", "--json")
    made = json.loads(created.stdout)
    assert made["secret"].startswith(f"il_{made['api_key']['id']}_")
    assert made["api_key"]["scopes"] == ["SCOPE_USAGE"]
    (line,) = admin("keys", "list", "--tenant", "json", "--json").stdout.splitlines()
    assert json.loads(line) == made["api_key"]
    rotated = json.loads(admin("keys", "rotate", made["api_key"]["id"], "--json").stdout)
    assert rotated["secret"] != made["secret"]
    tenants = [json.loads(line) for line in admin("tenants", "list", "--json").stdout.splitlines()]
    assert tenant in tenants


def test_without_a_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTERLINGUA_API_KEY", raising=False)
    refused = cli("keys", "list")
    assert refused.exit_code == 1
    assert "scope `admin`" in refused.stderr
    assert "--api-key" in refused.stderr
    assert "auth.admin_key" in refused.stderr, "the way to the first key"
    health = cli("health")
    assert health.exit_code == 0
    assert "a key of this gateway shows more" in health.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keys", "create", "--scope", "root"], "--scope is one of inference, usage"),
        (["keys", "create", "--ttl", "soon"], "--ttl is a time such as 90d"),
        (["keys", "rotate", "x", "--overlap", "-1h"], "--overlap is a time such as 90d"),
    ],
)
def test_misuse(admin: Cli, arguments: list[str], message: str) -> None:
    result = admin(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_what_is_not_there(admin: Cli) -> None:
    assert "There is no key `none`" in admin("keys", "revoke", "none").stderr
    assert "There is no tenant `none`" in admin("keys", "create", "--tenant", "none").stderr
