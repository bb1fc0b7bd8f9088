"""A file and the environment become the tree, or all that is wrong with them at once."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from interlingua_gateway.config.load import Loaded, load
from interlingua_gateway.config.problems import ConfigError
from interlingua_gateway.config.secret import Secret
from interlingua_gateway.core.prices import Price
from interlingua_gateway.core.target import Capability, Timeouts

CANARY = "sk-canary-0123456789"
Reader = Callable[..., Loaded]


@pytest.fixture(name="read")
def _read(tmp_path: Path) -> Reader:
    def read(text: str, **environment: str) -> Loaded:
        file = tmp_path / "config.yaml"
        file.write_text(text)
        return load(file, {"HOME": "/me", **environment})

    return read


def _problems(read: Reader, text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, **environment)
    return [
        str(problem).replace(problem.origin.file or "\0", "f") for problem in caught.value.problems
    ]


WHOLE = """
server:
  listen: [127.0.0.2:50051, "unix:/run/i.sock", "[::1]:0"]
  tls: {certificate_file: tls/cert.pem, key_file: /abs/key.pem}
  drain: {delay_s: 0}
http: {listen: null}
data_dir: state
providers:
  openai: {headers: {x-team: search, x-token: env:TEAM}}
  claude: {kind: litellm, api_key: env:ANTHROPIC, params: {a: [{b: env:TEAM}], c: 1}}
models:
  - name: fast
    aliases: [default, fast-*]
    targets:
      - {provider: openai, model: gpt-x, deployment: main, price: {input_usd_per_million: 0.15}}
      - {provider: claude, model: anthropic/claude-x}
    timeouts: {stall_s: 5}
    capabilities: [chat, tools]
"""


def test_a_whole_file(read: Reader, tmp_path: Path) -> None:
    keys = {"OPENAI_API_KEY": "k1", "ANTHROPIC": "k2", "TEAM": "k3"}
    config = read(WHOLE, **keys).config
    assert config.server.listen == ("127.0.0.2:50051", "unix:/run/i.sock", "[::1]:0")
    assert config.server.tls is not None
    assert config.server.tls.certificate_file == tmp_path / "tls/cert.pem"
    assert config.server.tls.key_file == Path("/abs/key.pem")
    assert config.server.drain.delay_s == 0
    assert config.server.drain.grace_s == 2
    assert config.http.listen is None
    assert config.data_dir == tmp_path / "state"
    openai, claude = config.providers["openai"], config.providers["claude"]
    assert openai.kind == "openai"
    assert openai.api_key == Secret("k1", "env:OPENAI_API_KEY")
    assert openai.headers == {"x-team": "search", "x-token": Secret("k3", "env:TEAM")}
    assert claude.params == {"a": ({"b": Secret("k3", "env:TEAM")},), "c": 1}
    (model,) = config.models
    assert [target.deployment_name for target in model.targets] == [
        "main",
        "claude/anthropic/claude-x",
    ]
    price = model.targets[0].price
    assert price is not None
    assert price.input_usd_per_million == Decimal("0.15")
    assert price.price() == Price(input=150_000, output=0)
    assert model.timeouts.timeouts() == Timeouts(stall_s=5)
    assert model.capabilities == {Capability.CHAT, Capability.TOOLS}


def test_the_tree_is_frozen(read: Reader) -> None:
    config = read("providers: {scripted: }").config
    with pytest.raises(ValidationError, match="frozen"):
        config.server.listen = ()
    with pytest.raises(TypeError):
        config.providers["x"] = config.providers["scripted"]  # type: ignore[index]
    with pytest.raises(TypeError):
        config.providers["scripted"].headers["x"] = "y"


def test_a_dump_has_references_in_place_of_secrets(read: Reader) -> None:
    config = read(WHOLE, OPENAI_API_KEY=CANARY, ANTHROPIC=CANARY, TEAM=CANARY).config
    dumped = config.model_dump_json()
    assert CANARY not in dumped
    assert '"api_key":"env:ANTHROPIC"' in dumped
    assert '"x-token":"env:TEAM"' in dumped
    assert '"params":{"a":[{"b":"env:TEAM"}],"c":1}' in dumped


def test_the_environment_wins(read: Reader) -> None:
    config = read(
        "server: {listen: [a:1], drain: {delay_s: 1, grace_s: 1}}\ntelemetry: {log_level: debug}",
        INTERLINGUA__SERVER__LISTEN="127.0.0.1:0, unix:/x",
        INTERLINGUA__SERVER__DRAIN="{grace_s: 9}",
        INTERLINGUA__SERVER__DRAIN__DELAY_S="0.5",
        INTERLINGUA__HTTP__LISTEN="null",
        INTERLINGUA_SERVICE_HOST="10.0.0.1",
    ).config
    assert config.server.listen == ("127.0.0.1:0", "unix:/x")
    assert (config.server.drain.delay_s, config.server.drain.grace_s) == (0.5, 9)
    assert config.http.listen is None
    assert config.telemetry.log_level == "debug"


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("http: {listen: 127.0.0.1:1}")
    loaded = load(None, {"HOME": "/h", "INTERLINGUA_CONFIG": str(file)})
    assert loaded.file == file
    assert loaded.config.http.listen == "127.0.0.1:1"


def test_every_error_at_once_with_its_place(read: Reader) -> None:
    text = """\
server:
  listn: 1
  listen: [127.0.0.1]
  keepalive: {time_s: -1, timeout: 3}
  tls: {certificate_file: a.pem}
providers:
  Open AI: {kind: openai, base_url: https://x}
  main: {kind: opnai}
  azure:
models:
  - name: a
    targets: [{provider: maine, model: x, price: {input_usd_per_million: 0.12345678}}]
  - name: a
    target: x
telemetry: {log_level: loud}
"""
    found = _problems(read, text, INTERLINGUA__HTTP__LISTN="x", INTERLINGUA__MODELS__0__NAME="b")
    expected = [
        "f:2:3: server.listn: unknown key; did you mean 'listen'?",
        "f:3:12: server.listen[0]: write host:port",
        "f:4:15: server.keepalive.time_s: should be greater than 0",
        "f:4:27: server.keepalive.timeout: unknown key; did you mean 'timeout_s'?",
        "f:5:3: server.tls.key_file: needed, but not given",
        "f:7:3: providers.Open AI: use lower-case letters",
        "f:8:10: providers.main.kind: unknown kind 'opnai'; did you mean 'openai'?",
        "f:9:3: providers.azure.api_key: needed; give env:NAME or file:/path, or set AZURE_API_KEY",
        "f:9:3: providers.azure.base_url: needed; give it, or set AZURE_API_BASE",
        (
            "f:12:16: models[0].targets[0].provider: no provider 'maine' is configured; "
            "did you mean 'main'?"
        ),
        (
            "f:12:51: models[0].targets[0].price.input_usd_per_million: decimal input should have "
            "no more than 6 decimal places"
        ),
        "f:13:5: models[1].name: the name 'a' is taken by another model",
        "f:13:5: models[1].targets: needed, but not given",
        "f:14:5: models[1].target: unknown key; did you mean 'targets'?",
        "f:15:13: telemetry.log_level: should be 'debug', 'info', 'warning' or 'error'",
        "INTERLINGUA__HTTP__LISTN: http.listn: unknown key; did you mean 'listen'?",
        (
            "INTERLINGUA__MODELS__0__NAME: models.0.name: a list is given as a whole, in "
            "INTERLINGUA__MODELS"
        ),
    ]
    assert len(found) == len(expected), "\n".join(found)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: 5", "server: a mapping of keys is needed"),
        ("server: {listen: []}", "server.listen: a list with at least one item is needed"),
        ("server: {listen: 'unix:'}", "a path must follow unix:"),
        ("server: {listen: 'a:70000'}", "write host:port"),
        ("models: [5]", "models[0]: a mapping of keys is needed"),
        ("models: {a: b}", "models: a list with at least one item is needed"),
        ("providers: [a]", "providers: a mapping of keys is needed"),
        ("providers: {a: 5}", "providers.a: a mapping of keys is needed"),
        ("providers: {mine: {}}", "providers.mine.kind: needed, but not given"),
        ("providers: {x: {kind: gemini}}", "write kind: litellm, and gemini/... as model"),
        ("providers: {x: {kind: openai, base_url: host/v1}}", "write a URL"),
        ("providers: {x: {kind: openai, base_url: 'https://u:p@h'}}", "credentials do not belong"),
        ("providers: {scripted: {params: {a: 1}}}", "params: belongs to kind litellm"),
        ("providers: {local: {local: {modle_path: x}}}", "did you mean 'model_path'?"),
        ("data_dir: ''", "data_dir: a path is needed"),
        (
            "server: {tls: {certificate_file: a, key_file: b, require_client_certificate: true}}",
            "require_client_certificate: client_ca_file is needed",
        ),
        (
            "models: [{name: a*b*, targets: [{provider: local, model: x}]}]",
            "at most one * may stand in a name",
        ),
        (
            "models: [{name: a, targets: [{provider: local, model: '*'}]}]",
            "a * stands for what a * in the name matched",
        ),
        (
            "models: [{name: a, targets: [{provider: openai, model: x}]}]",
            "no provider 'openai' is configured; add it under providers, or set OPENAI_API_KEY",
        ),
        (
            (
                "models: [{name: a, targets: [{provider: local, model: x},"
                " {provider: local, model: x}]}]"
            ),
            "models[0].targets[1]: local/x is already a target",
        ),
        (
            (
                "models: [{name: a, targets: [{provider: local, model: x, deployment: d},"
                " {provider: local, model: y, deployment: d}]}]"
            ),
            "'d' already names another deployment",
        ),
        (
            "models: [{name: a, aliases: [a], targets: [{provider: local, model: x}]}]",
            "models[0].aliases[0]: the name 'a' is taken",
        ),
    ],
)
def test_one_fault_one_message(read: Reader, text: str, message: str) -> None:
    (problem,) = _problems(read, text)
    assert message in problem


def test_secrets_must_be_references_and_are_never_repeated(read: Reader) -> None:
    text = f"""
providers:
  openai:
    api_key: {CANARY}
    headers: {{authorization: Bearer {CANARY}, x: env:NONE, y: 1}}
  claude: {{kind: litellm, api_key: 5, params: {{aws_secret_access_key: {CANARY}}}}}
"""
    problems = _problems(read, text, INTERLINGUA__PROVIDERS__CLAUDE__PARAMS__TOKEN=CANARY)
    assert [problem.split(": ", 1)[1].split(" ")[0] for problem in problems] == [
        "providers.openai.api_key:",
        "providers.openai.headers.authorization:",
        "providers.openai.headers.x:",
        "providers.claude.api_key:",
        "providers.claude.params.aws_secret_access_key:",
        "providers.claude.params.token:",
    ]
    assert CANARY not in "\n".join(problems)


def test_header_values_are_text(read: Reader) -> None:
    (problem,) = _problems(read, "providers: {scripted: {headers: {x: 1}}}")
    assert "providers.scripted.headers.x: text is needed" in problem


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read the file: No such file"):
        load(tmp_path / "none.yaml", {})
    (tmp_path / "binary.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "binary.yaml", {})
