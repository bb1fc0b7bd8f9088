"""A whole gateway inside the test: real configuration, wiring and sockets, under a chosen clock."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import grpc
import yaml

from interlingua.v1 import (
    gateway_service_pb2_grpc,
    model_service_pb2_grpc,
)
from interlingua_gateway.app.build import build
from interlingua_gateway.app.gateway import Gateway
from interlingua_gateway.config.environment import process_environment
from interlingua_gateway.config.load import load
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Clock, SystemClock

Tree = Mapping[str, object]
FILE = "interlingua.yaml"


class Running:
    """A gateway that serves; `channel` is a connection to its first address."""

    def __init__(self, built: Gateway, config: Config, log: StringIO) -> None:
        self.built = built
        self.config = config
        self._log = log
        self.address = built.grpc.addresses[0]
        self.channel = grpc.aio.insecure_channel(self.address)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.calls = gateway_service_pb2_grpc.GatewayServiceStub(self.channel)

    @property
    def log(self) -> str:
        """All that was logged so far, a JSON object a line."""
        return self._log.getvalue()

    @property
    def log_lines(self) -> list[dict[str, object]]:
        """The same, decoded."""
        return [json.loads(line) for line in self.log.splitlines()]

    @property
    def in_flight(self) -> int:
        return self.built.grpc.front.in_flight

    def method(
        self, name: str, service: str = "GatewayService"
    ) -> grpc.aio.UnaryUnaryMultiCallable:
        """A unary method that takes and gives raw bytes."""
        return self.channel.unary_unary(f"/interlingua.v1.{service}/{name}")

    def stream_method(self, name: str) -> grpc.aio.UnaryStreamMultiCallable:
        """A streaming method that takes and gives raw bytes."""
        return self.channel.unary_stream(f"/interlingua.v1.GatewayService/{name}")


UNFORGIVING: Tree = {
    "retry": {"rounds": 1},
    "breaker": {
        "failures": 1_000_000,
        "min_attempts": 1_000_000,
        "cooldown_s": 0.001,
        "max_cooldown_s": 0.001,
    },
}
"""Routing without second tries and without rests: each failure is told as it is, call by call."""


def configuration(tree: Tree, directory: Path, environment: Mapping[str, str] = {}) -> Config:
    """The configuration of `tree`, through a file like anybody's; see `write`."""
    return load(write(tree, directory), environment).config


def write(tree: Tree, directory: Path) -> Path:
    """The file of a configuration.

    Where `tree` does not say otherwise the gateway listens on a Unix socket in `directory`, serves
    no HTTP and logs JSON.
    """
    whole = {
        "data_dir": str(directory / "data"),
        "telemetry": {"log_format": "json"},
        "http": {"listen": None},
        **tree,
        "server": {
            "listen": [f"unix:{directory}/gateway.sock"],
            **tree.get("server", {}),
        },
    }
    file = directory / FILE
    file.write_text(yaml.safe_dump(whole))
    return file


@asynccontextmanager
async def running(
    tree: Tree,
    directory: Path,
    clock: Clock | None = None,
    environment: Mapping[str, str] = {},
) -> AsyncIterator[Running]:
    """A gateway of the configuration `tree` that is ready, and is closed at the end."""
    config = configuration(tree, directory, environment)
    root, ours = logging.getLogger(), logging.getLogger("interlingua")
    handlers, level, own_level = root.handlers[:], root.level, ours.level

    def read() -> Config:
        return load(directory / FILE, environment).config

    built = build(config, clock or SystemClock(), process_environment(), read)
    log = StringIO()
    root.handlers[0].setStream(log)
    try:
        built.start_models(lambda name, facts: None)
        await built.grpc.start()
        if built.http is not None:
            await built.http.start()
        await built.prepared()
        await built.grpc.serving()
        built.ready = True
        gateway = Running(built, config, log)
        try:
            yield gateway
        finally:
            await gateway.channel.close()
    finally:
        await built.aclose()
        root.handlers[:] = handlers
        root.setLevel(level)
        ours.setLevel(own_level)


def scripted(**scripts: object) -> Tree:
    """A configuration whose provider `stage` plays `scripts`; each is a model of its own name.

    The model `default` echoes.
    """
    names = ["echo", *scripts]
    models = [
        {"name": name, "targets": [{"provider": "stage", "model": name, "deployment": name}]}
        for name in names
    ]
    return {
        "providers": {"stage": {"kind": "scripted", "script": scripts}},
        "models": [
            {"name": "default", "targets": [{"provider": "stage", "model": "echo"}]},
            *models,
        ],
    }


def openai(url: str, *, timeouts: Mapping[str, float] | None = None, price: bool = False) -> Tree:
    """A configuration whose model `default` is an OpenAI-compatible upstream at `url`."""
    target: dict[str, object] = {"provider": "up", "model": "m", "deployment": "up"}
    if price:
        target["price"] = {"input_usd_per_million": 1, "output_usd_per_million": 2}
    return {
        "providers": {
            "up": {"kind": "openai", "base_url": url, "api_key": "env:UP_KEY"},
        },
        "models": [{"name": "default", "targets": [target], "timeouts": dict(timeouts or {})}],
    }
