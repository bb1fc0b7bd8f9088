"""The model's process imports little and never outlives its parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from interlingua_gateway.providers.local.orders import Orders
from interlingua_gateway.providers.local.supervisor import CHILD


def spawn(*options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", *options, CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def orders(weights: Path, parent_pid: int) -> bytes:
    fields = Orders(
        weights=str(weights),
        alias="tiny",
        api_key="k" * 32,
        chat_template="",
        streams=1,
        context_tokens=256,
        embedding_tokens=64,
        max_output_tokens=16,
        threads=1,
        parent_pid=parent_pid,
    )
    return json.dumps(fields).encode() + b"\n"


def test_it_imports_the_standard_library_and_the_runtime_only() -> None:
    with spawn("-X", "importtime") as process:
        _, said = process.communicate(b"")
    imported = {line.rsplit("|", 1)[-1].strip() for line in said.decode().splitlines()}
    assert "xllamacpp" in imported
    heavy = {
        "interlingua_gateway",
        "grpc",
        "google",
        "msgspec",
        "pydantic",
        "asyncio",
        "litellm",
        "numpy",
        "gguf",
    }
    assert not heavy & imported


def test_it_ends_when_its_input_ends(tiny_weights: Path) -> None:
    with spawn() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(orders(tiny_weights, os.getpid()))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["address"].startswith("http://127.0.0.1:")
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_it_ends_when_its_parent_was_gone_before_it_began(tiny_weights: Path) -> None:
    with spawn() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(orders(tiny_weights, parent_pid=1 if os.getpid() != 1 else 2))
        process.stdin.flush()
        assert process.stdout.readline() == b""
        assert process.wait(timeout=10) == 0
