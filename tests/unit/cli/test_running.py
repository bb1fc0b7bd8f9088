"""serve and demo as processes: what they say, and how they end."""

import os
import signal
import sys
from pathlib import Path

import pytest

from interlingua_gateway.cli.serve import callable_address
from tests.unit.cli.conftest import CONFIG, start, until_ready


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIG.format(directory=tmp_path))
    return file


def test_serve_says_where_it_listens_and_drains(file: Path) -> None:
    options = ("--listen", "127.0.0.1:0", "--listen", f"unix:{file.parent}/a.sock")
    with start("serve", "-c", str(file), *options, "--http", "127.0.0.1:0") as process:
        events = until_ready(process)
        listening = [event["address"] for event in events if event["message"] == "listening"]
        (http,) = [event["address"] for event in events if event["message"] == "http"]
        assert listening[1] == f"unix:{file.parent}/a.sock"
        assert int(listening[0].rpartition(":")[2]) > 0
        assert int(http.rpartition(":")[2]) > 0
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=20)
        assert process.returncode == 0
        assert out == ""
        assert '"message":"draining","calls":"0"' in rest
        assert rest.endswith('"message":"stopped"}\n')
        assert "Traceback" not in rest


def test_serve_ends_while_a_library_is_still_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, pipe = tmp_path / "litellm", tmp_path / "pipe"
    package.mkdir()
    # Nobody ever writes into the pipe: this import has no end.
    (package / "__init__.py").write_text(f"open({str(pipe)!r}).read()")
    os.mkfifo(pipe)
    file = tmp_path / "gateway.yaml"
    provider = "{kind: litellm, params: {custom_llm_provider: openai}}"
    stage = CONFIG.format(directory=tmp_path).replace(
        "providers:\n", f"providers:\n  x: {provider}\n"
    )
    file.write_text(stage)
    paths = (tmp_path, *map(Path, sys.path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    with start("serve", "-c", str(file)) as process:
        assert until_ready(process)[-1]["message"] == "ready"
        writer = os.open(pipe, os.O_WRONLY)  # waits until the import reads
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0
        os.close(writer)


def test_demo_streams_an_answer_and_stays_up(file: Path) -> None:
    with start("demo", "-c", str(file)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "What is the capital of France?\n"
        said = ""
        for line in process.stderr:
            said += line
            if "Ctrl-C" in line:
                break
        assert "tokens in" in said
        assert f"interlingua call --address unix:{file.parent}/gateway.sock" in said
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_serve_refuses_a_bad_option(file: Path) -> None:
    with start("serve", "-c", str(file), "--listen", "nowhere") as process:
        _, said = process.communicate(timeout=20)
        assert process.returncode == 2
        assert "--listen: server.listen[0]: write host:port" in said


def test_serve_says_why_it_cannot_start(file: Path) -> None:
    file.write_text(file.read_text().replace("drain", "so_reuseport: false, drain"))
    with start("serve", "-c", str(file), "--listen", "127.0.0.1:0") as first:
        address = next(e["address"] for e in until_ready(first) if e["message"] == "listening")
        with start("serve", "-c", str(file), "--listen", address) as second:
            _, said = second.communicate(timeout=20)
            assert second.returncode == 1
            assert address in said
            assert "interlingua doctor" in said
            assert "Traceback" not in said
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=20)


def test_serve_says_that_it_cannot_write(file: Path) -> None:
    file.write_text(file.read_text().replace(f"{file.parent}/data", "gateway.yaml/data"))
    with start("serve", "-c", str(file)) as process:
        _, said = process.communicate(timeout=20)
        assert process.returncode == 1
        assert "gateway.yaml/data: Not a directory" in said
        assert "Traceback" not in said


@pytest.mark.parametrize(
    ("addresses", "callable_at"),
    [
        (["127.0.0.1:1", "unix:/x"], "127.0.0.1:1"),
        (["0.0.0.0:1"], "127.0.0.1:1"),
        (["[::]:1"], "127.0.0.1:1"),
        (["[::1]:1"], "[::1]:1"),
        (["unix:/x"], "unix:/x"),
        ([], None),
    ],
)
def test_callable_address(addresses: list[str], callable_at: str | None) -> None:
    assert callable_address(addresses) == callable_at
