"""call, chat, embed, models and health, against a real gateway."""

import json
import os
import pty
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli, start

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cf"
    "c000000301010018dd8db00000000049454e44ae426082"
)


def test_call_writes_the_answer_and_nothing_else(cli: Cli) -> None:
    result = cli("call", "Hello", "there")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Hello there\n", "")


@pytest.mark.parametrize("flags", [[], ["--no-stream"]])
def test_call_reads_standard_input(cli: Cli, flags: list[str]) -> None:
    assert cli("call", *flags, stdin="from a file\n").stdout == "from a file\n"
    assert cli("call", *flags, "This:", "-", stdin="a file\n").stdout == "This: a file\n"


def test_a_person_is_told_that_input_is_waited_for(address: str) -> None:
    ours, theirs = pty.openpty()
    with start("call", "--address", address, stdin=theirs) as process:
        assert process.stderr is not None
        assert "Ctrl-D" in process.stderr.readline()
        os.write(ours, b"typed\n\x04")
        said, _ = process.communicate(timeout=20)
    os.close(ours)
    os.close(theirs)
    assert said == "typed\n"


def test_call_takes_a_model_and_options(cli: Cli) -> None:
    assert cli("call", "-m", "story", "x").stdout == "Once upon a time.\n"
    assert cli("call", "-m", "story", "--max-tokens", "2", "x").stdout.strip() == "Once upon"


def test_call_writes_events_as_json(cli: Cli) -> None:
    lines = [json.loads(line) for line in cli("call", "--json", "a b").stdout.splitlines()]
    assert "".join(line.get("text_delta", "") for line in lines) == "a b"
    assert "start" in lines[0]
    assert "completed" in lines[-1]


def test_call_writes_a_response_as_json(cli: Cli) -> None:
    response = json.loads(cli("call", "--json", "--no-stream", "a b").stdout)
    (candidate,) = response["candidates"]
    assert candidate["parts"] == [{"text": "a b"}]


def test_call_sends_images_and_schemas(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PIXEL)
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    options = ["--image", str(tmp_path / "a.png"), "--schema", str(tmp_path / "schema.json")]
    assert cli("call", *options, "What is this?").stdout == "What is this?\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["call"], 2, "There is nothing to ask."),
        (["call", "-m", "none", "x"], 1, "none"),
        (["call", "--temperature", "-1", "x"], 1, "sampling.temperature"),
        (["call", "--image", "/nowhere.png", "x"], 1, "/nowhere.png: No such file"),
        (["call", "--image", __file__, "x"], 2, "does not look like an image"),
        (["call", "--timeout", "-1", "x"], 2, "timeout_s must be a positive number"),
        (["call", "--address", "unix:/nowhere.sock", "x"], 1, "interlingua serve"),
        (["chat", "--address", "unix:/nowhere.sock"], 1, "If it speaks TLS, add --tls"),
        (["call", "-m", "openai/gpt-5", "x"], 1, "`interlingua doctor` shows which keys are found"),
        (["embed"], 2, "There is nothing to embed."),
        (["call", "--ca-file", "/nowhere.pem", "x"], 1, "/nowhere.pem: No such file"),
        (["call", "--nonsense", "x"], 2, "No such option"),
    ],
)
def test_failures_say_what_to_do(cli: Cli, arguments: list[str], code: int, message: str) -> None:
    result = cli(*arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_failed_handshake_is_told_once(address: str) -> None:
    with start("health", "--address", address, "--tls") as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    error, advice = said.splitlines()
    assert error.startswith("error: ")
    assert "leave out --tls" in advice


def test_a_broken_answer_never_looks_whole(cli: Cli) -> None:
    result = cli("call", "-m", "broken", "x")
    assert result.exit_code == 1
    assert result.stdout.startswith("Once upon")
    assert "not the whole answer" in result.stderr


def test_a_bad_schema_is_refused_by_field(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text("not json")
    result = cli("call", "--schema", str(tmp_path / "schema.json"), "x")
    assert result.exit_code == 1
    assert "response_format" in result.stderr


def test_chat_keeps_the_conversation_and_obeys(cli: Cli) -> None:
    lines = ["one", "/model story", "two", "/model", "/reset", "/help", "/nonsense", "/quit", "x"]
    result = cli("chat", stdin="\n".join(lines) + "\n")
    assert result.exit_code == 0
    assert result.stdout == "one\nOnce upon a time.\n"
    for said in ("Model: story", "A new conversation.", "/reset", "There is no /nonsense"):
        assert said in result.stderr


def test_chat_survives_a_failure(cli: Cli) -> None:
    result = cli("chat", stdin="/model none\nx\n/model echo\nstill here\n")
    assert result.exit_code == 0
    assert result.stdout == "still here\n"
    assert "error: " in result.stderr


def test_embed(cli: Cli) -> None:
    lines = cli("embed", "--json", "a", "b").stdout.splitlines()
    vectors = [json.loads(line) for line in lines]
    assert [vector["text"] for vector in vectors] == ["a", "b"]
    assert len(vectors[0]["embedding"]) == len(vectors[1]["embedding"])
    assert vectors[0]["embedding"] != vectors[1]["embedding"]
    assert cli("embed", stdin="a\n\nb\n").stdout.count("dimensions") == 2


def test_models(cli: Cli) -> None:
    table = cli("models").stdout
    assert "story" in table
    assert "2 in, 0 out" in table
    names = {json.loads(line)["name"] for line in cli("models", "--json").stdout.splitlines()}
    assert names >= {"echo", "story", "broken"}


def test_health_tells_of_open_circuits(cli: Cli) -> None:
    assert "circuit" not in cli("health").stdout
    for _ in range(5):
        assert "The script fails here." in cli("call", "--model", "down", "Hi").stderr
    assert "given a rest" in cli("call", "--model", "down", "Hi").stderr
    told = cli("health").stdout
    line = "    stage/down: circuit open, no calls are sent, last error UPSTREAM_TIMEOUT"
    assert line in told.splitlines()
    assert "stage/echo" not in told, "nothing is to be said of those that are well"


def test_health_says_why_a_deployment_is_not_well(cli: Cli) -> None:
    cli("call", "--model", "broken", "Hi")
    line = "    stage/broken: unhealthy, success rate 0%, last error UPSTREAM_UNAVAILABLE"
    assert line in cli("health").stdout.splitlines()


def test_health(cli: Cli) -> None:
    result = cli("health")
    assert result.exit_code == 0
    assert "stage" in result.stdout
    assert json.loads(cli("health", "--json").stdout)["providers"][0]["name"] == "stage"
