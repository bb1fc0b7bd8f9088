"""How a gateway starts: without what its work does not need."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from interlingua_gateway.cli import main
from interlingua_gateway.cli.choices import Choices, choices_of

NOT_NEEDED = (
    "alembic",
    "google.protobuf.json_format",
    "grpc_channelz",
    "grpc_reflection.v1alpha",
    "interlingua.client",
    "jsonschema_rs",
    "litellm",
    "rich",
    "sqlalchemy",
    "typer",
)


@pytest.mark.parametrize(
    "line",
    [
        "serve",
        "serve -c a.yaml",
        "serve --config a.yaml --config b.yaml --log-level debug",
        "serve --listen 127.0.0.1:1 --http none --listen unix:/a=b",
    ],
)
def test_the_short_way_understands_what_the_long_one_does(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    understood: list[Choices] = []
    monkeypatch.setattr(main, "run", lambda command, choices: understood.append(choices))
    monkeypatch.delenv("INTERLINGUA_CONFIG", raising=False)
    arguments = line.split()
    assert CliRunner().invoke(main.app, arguments).exit_code == 0
    assert understood == [choices_of(arguments)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "demo",
        "--version",
        "serve --help",
        "serve a.yaml",
        "serve -c",
        "serve --config=a.yaml",
        "serve --listen --http none",
        "serve --colour blue",
        "-c a.yaml serve",
    ],
)
def test_the_rest_is_left_to_the_long_way(line: str) -> None:
    assert choices_of(line.split()) is None


def test_a_start_imports_nothing_that_a_gateway_may_never_need() -> None:
    program = (
        "import sys, interlingua_gateway.cli.start, interlingua_gateway.cli.serve\n"
        f"print(*(name for name in {NOT_NEEDED} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
