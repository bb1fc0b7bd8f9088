"""config, doctor, --version and --help: what needs no gateway."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import RUN, Cli

CANARY = "sk-canary-0123456789"
BAD = "server: {listn: 1, drain: {delay_s: -1}}\ntelemetry: {log_level: loud}\n"
ROOT = Path(__file__).parents[3]


def test_check_names_every_problem(bare: Cli, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(BAD)
    result = bare("config", "check", str(file))
    assert result.exit_code == 2
    assert "3 problems" in result.stderr
    for place in (
        f"{file}:1:10: server.listn",
        f"{file}:1:28: server.drain.delay_s",
        f"{file}:2:13",
    ):
        assert place in result.stderr


def test_check_looks_into_scripts(bare: Cli, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("providers: {stage: {kind: scripted, script: {a: [{do: wait, second: 1}]}}}")
    result = bare("config", "check", str(file))
    assert result.exit_code == 2
    assert "providers.stage.script: The script of 'a' is not valid" in result.stderr
    assert "`second`" in result.stderr


def test_check_accepts_a_right_file(bare: Cli, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("http: {listen: null}")
    result = bare("config", "check", str(file))
    assert result.exit_code == 0
    assert "is right" in result.stderr
    assert bare("config", "check", INTERLINGUA_CONFIG=str(file)).exit_code == 0
    assert bare("config", "check", "-c", str(file)).stderr == result.stderr
    wrong = {"INTERLINGUA_CONFIG": str(tmp_path / "none.yaml")}
    assert bare("config", "check", str(file), **wrong).stderr == result.stderr


def test_show_masks_secrets_and_names_origins(bare: Cli) -> None:
    result = bare("config", "show", OPENAI_API_KEY=CANARY, INTERLINGUA__HTTP__LISTEN="null")
    assert result.exit_code == 0
    assert CANARY not in result.output
    shown = {line.split("#")[0].strip(): line for line in result.stdout.splitlines()}
    assert shown["api_key: env:OPENAI_API_KEY"].endswith("# OPENAI_API_KEY")
    assert shown["listen: null"].endswith("# INTERLINGUA__HTTP__LISTEN")


def test_the_schema_is_the_one_in_the_tree(bare: Cli) -> None:
    result = bare("config", "schema")
    assert result.stdout == (ROOT / "docs/config.schema.json").read_text("utf-8")
    assert json.loads(result.stdout)["type"] == "object"


def test_doctor_finds_what_works(bare: Cli, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        f"server: {{listen: ['127.0.0.1:0', 'unix:{tmp_path}/s']}}\nhttp: {{listen: null}}\n"
        "providers: {stage: {kind: scripted}, groq: {}}\n"
    )
    result = bare("doctor", "--config", str(file), GROQ_API_KEY=CANARY)
    assert result.exit_code == 0, result.output
    for found in ("Python", "grpcio", "litellm", "GROQ_API_KEY", "data directory", "is free"):
        assert found in result.stdout
    assert CANARY not in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BAD, "3 problems"),
        ("providers: {local: {local: {model_path: none.gguf}}}", "There is no file of weights"),
        ("server: {listen: ['unix:/nowhere/s']}", "no socket can be made in /nowhere"),
        ("server: {listen: ['192.0.2.1:1']}\nauth: {anonymous: []}", "192.0.2.1:1: "),
        ("data_dir: c.yaml/data", "cannot be written"),
    ],
)
def test_doctor_finds_what_does_not_work(
    bare: Cli, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    result = bare("doctor", "--config", str(file))
    assert result.exit_code == 1
    assert message in result.stdout
    assert "must be mended" in result.stderr


def test_version(bare: Cli) -> None:
    assert bare("--version").stdout.startswith("interlingua ")


@pytest.mark.parametrize(
    "command",
    ["serve", "demo", "call", "chat", "embed", "models", "health", "doctor", "config"],
)
def test_every_command_explains_itself(bare: Cli, command: str) -> None:
    result = bare(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout
    assert command in bare("--help").stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        f"import sys; sys.argv[1:] = ['--help']\ntry:\n    {RUN}\nfinally:\n    print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    heavy = {"grpc", "google.protobuf", "pydantic", "litellm", "yaml", "asyncio"}
    assert not heavy & set(run.stdout.split())
