"""A caller without stubs: buf curl finds the methods by reflection."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.support.gateway import scripted

BUF = Path(sys.executable).with_name("buf")
TEXT = '{"messages": [{"role": "ROLE_USER", "parts": [{"text": "two words"}]}]}'


async def curl(address: str, method: str, body: str) -> list[dict[str, object]]:
    process = await asyncio.create_subprocess_exec(
        *(str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", body),
        f"http://{address}/interlingua.v1.GatewayService/{method}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    found, decoder, text = [], json.JSONDecoder(), out.decode().strip()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found


@pytest.fixture
async def address(start) -> str:
    tree = scripted()
    tree["server"] = {"listen": ["127.0.0.1:0"]}
    return (await start(tree)).address


async def test_an_answer(address):
    (answer,) = await curl(address, "Generate", TEXT)
    assert answer["candidates"][0]["parts"] == [{"text": "two words"}]


async def test_a_stream(address):
    events = await curl(address, "StreamGenerate", TEXT)
    assert "".join(event.get("textDelta", "") for event in events) == "two words"
    assert "start" in events[0]
    assert "completed" in events[-1]


async def test_an_embedding(address):
    (answer,) = await curl(address, "Embed", '{"inputs": [{"text": "hello"}]}')
    assert len(answer["embeddings"][0]["values"]) == 32
