"""Start and stop, seen through the events that the lifecycle tells."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from interlingua_gateway.app.lifecycle import Stop, serve
from interlingua_gateway.core.errors import InternalError
from tests.support.gateway import configuration, scripted
from tests.support.tiny_model import write_tiny_model

DRAIN = {"delay_s": 0, "longest_generation_s": 5, "grace_s": 0.1}


@pytest.fixture(autouse=True)
def _logs():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


async def lived(tree: dict[str, object], directory: Path, stop_at: str) -> list[str]:
    """The events of a gateway that is told to stop when it says `stop_at`."""
    address = f"unix:{directory}/s"
    config = configuration({**tree, "server": {"listen": [address], "drain": DRAIN}}, directory)
    stop, events = Stop(), []

    def on_event(name: str, facts: object) -> None:
        events.append(name)
        if name == stop_at:
            stop.ask(delay=True)

    await asyncio.wait_for(serve(config, on_event=on_event, stop=stop), 20)
    return events


async def test_what_happens_is_told_in_order(tmp_path):
    assert await lived(scripted(), tmp_path, "ready") == ["listening", "ready", "draining"]
    assert (tmp_path / "data").is_dir()


async def test_a_wish_to_stop_does_not_wait_for_a_model_to_load(tmp_path):
    weights = write_tiny_model(tmp_path / "tiny.gguf")
    tree = {
        "providers": {"local": {"kind": "local", "local": {"model_path": str(weights)}}},
        "models": [{"name": "default", "targets": [{"provider": "local", "model": "m"}]}],
    }
    events = await lived(tree, tmp_path, "listening")
    assert "draining" in events
    assert "ready" not in events
    assert "loaded" not in events


async def test_an_address_that_cannot_be_had_ends_the_start(tmp_path):
    tree = {**scripted(), "server": {"listen": ["192.0.2.1:1"]}, "auth": {"anonymous": []}}
    config = configuration(tree, tmp_path)
    with pytest.raises(InternalError, match=r"Cannot listen on 192\.0\.2\.1:1"):
        await serve(config, on_event=lambda name, facts: None, stop=Stop())


async def test_a_second_wish_is_urgent():
    stop = Stop()
    stop.ask(delay=True)
    await stop.asked()
    assert not stop.urgent
    stop.ask(delay=False)
    await stop.urged()
    assert stop.urgent
