"""What is measured: the gateway, its floor and its peers, each with what starts it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

BENCH = Path(__file__).parent
PEERS = BENCH / ".peers"
SMG = "smg==1.13.0"
# Without these the proxy looks for OpenTelemetry anew in each call, in vain, and parses HTTP in
# Python; with them it is as its own image has it, and a quarter cheaper.
LITELLM = "litellm[proxy]==1.106.2 opentelemetry-sdk opentelemetry-exporter-otlp httptools"
PORTKEY = {"@portkey-ai/gateway": "1.15.2", "@hono/node-server": "1.13.8"}
# LiteLLM's proxy refuses to start without a key; one is made for each run.
KEY = f"sk-{secrets.token_hex(24)}"
LOADED = frozenset({"unary", "steady", "first", "burst", "paced64", "paced256", "embed"})


@dataclass(frozen=True)
class Place:
    """Where a subject listens, where the mock upstream listens, and a folder for its files.

    ``spare`` is a second free port.
    """

    port: int
    spare: int
    upstream: str
    folder: Path

    def write(self, name: str, text: str) -> str:
        """A file in the folder, with this text; returns its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)


@dataclass(frozen=True)
class Subject:
    """One thing that is measured.

    ``ready`` is the HTTP path that answers 200 once it serves; gRPC subjects are asked by
    grpc.health.v1. ``headers`` go with every call.
    """

    name: str
    title: str
    protocol: Literal["grpc", "http"]
    argv: Callable[[Place], list[str]]
    ready: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Callable[[Place], tuple[str, ...]] = lambda _: ()
    install: Callable[[], None] = lambda: None
    scenarios: frozenset[str] = LOADED


def _in_venv(name: str, requirements: str) -> Callable[[], None]:
    def install() -> None:
        venv = PEERS / name
        if (venv / "installed").exists() and (venv / "installed").read_text() == requirements:
            return
        print(f"installing {requirements} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *requirements.split()], check=True)
        (venv / "installed").write_text(requirements)

    return install


def _install_portkey() -> None:
    folder = PEERS / "portkey"
    pinned = {"@hono/node-server": PORTKEY["@hono/node-server"]}
    package = {"private": True, "dependencies": PORTKEY, "overrides": pinned}
    written, wanted = folder / "package.json", json.dumps(package)
    if (folder / "node_modules").exists() and written.read_text() == wanted:
        return
    print("installing the Portkey gateway ...", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    written.write_text(wanted)
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(npm, cwd=folder, check=True)


def _gateway(
    provider: Mapping[str, object] | None, model: str = "mock", path: str = "/v1"
) -> Callable[[Place], list[str]]:
    """`interlingua serve` with one provider at the mock upstream, or with the embedded model."""

    def argv(place: Place) -> list[str]:
        config: dict[str, object] = {
            "server": {
                "listen": [f"127.0.0.1:{place.port}"],
                "max_concurrent_calls": 4096,
                "drain": {"delay_s": 0},
            },
            "http": {"listen": "127.0.0.1:0"},
            "data_dir": str(place.folder),
        }
        if provider is not None:
            account = {**provider, "base_url": place.upstream + path, "api_key": "env:BENCH_KEY"}
            target = {"provider": "upstream", "model": model}
            config["providers"] = {"upstream": {**account, "max_connections": 4096}}
            config["models"] = [{"name": "mock", "targets": [target]}]
        file = place.write("interlingua.yaml", json.dumps(config))  # JSON is YAML
        return [sys.executable, "-c", COMMAND, "serve", "--config", file]

    return argv


def _litellm_proxy(model: str, path: str) -> Callable[[Place], list[str]]:
    """LiteLLM's proxy with one model at the mock upstream."""

    def argv(place: Place) -> list[str]:
        parameters = {"model": model, "api_base": place.upstream + path, "api_key": KEY}
        config = {"model_list": [{"model_name": "mock", "litellm_params": parameters}]}
        file = place.write("litellm.yaml", json.dumps(config))
        command = str(PEERS / "litellm" / "bin" / "litellm")
        at = ["--host", "127.0.0.1", "--port", str(place.port)]
        return [command, "--config", file, *at, "--telemetry", "False"]

    return argv


def _portkey(place: Place) -> list[str]:
    script = PEERS / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    return ["node", str(script), "--headless", f"--port={place.port}"]


def _portkey_headers(place: Place) -> tuple[str, ...]:
    host = f"x-portkey-custom-host: {place.upstream}/v1"
    return ("x-portkey-provider: openai", host, f"Authorization: Bearer {KEY}")


def _smg(place: Place) -> list[str]:
    command = [str(PEERS / "smg" / "bin" / "smg"), "launch", "--backend", "openai"]
    at = ["--host", "127.0.0.1", "--port", str(place.port), "--prometheus-port", str(place.spare)]
    return [*command, "--worker-urls", place.upstream, *at, "--log-level", "warn"]


def _bearer(_: Place) -> tuple[str, ...]:
    return (f"Authorization: Bearer {KEY}",)


def _echo(place: Place) -> list[str]:
    return [sys.executable, str(BENCH / "echo.py"), str(place.port)]


COMMAND = "from interlingua_gateway.cli.start import main; main()"
NATIVE = {"kind": "openai"}
OURS = {"BENCH_KEY": KEY}
SUBJECTS = (
    Subject(
        "ours",
        "Interlingua, native dialect",
        "grpc",
        _gateway(NATIVE),
        environment=OURS,
        scenarios=LOADED | {"open2000", "cancel"},
    ),
    Subject(
        "ours-litellm",
        "Interlingua, through litellm",
        "grpc",
        _gateway({"kind": "litellm"}, "openai/mock"),
        environment=OURS,
    ),
    Subject(
        "ours-anthropic",
        "Interlingua, Anthropic through litellm",
        "grpc",
        _gateway({"kind": "litellm"}, "anthropic/claude-sonnet-4-20250514", ""),
        environment=OURS,
        scenarios=LOADED - {"embed"},
    ),
    Subject(
        "litellm-anthropic",
        "LiteLLM proxy 1.106.2, Anthropic",
        "http",
        _litellm_proxy("anthropic/claude-sonnet-4-20250514", ""),
        ready="/health/liveliness",
        environment={"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        headers=_bearer,
        install=_in_venv("litellm", LITELLM),
        scenarios=frozenset({"unary", "burst"}),
    ),
    Subject(
        "ours-local",
        "Interlingua, embedded model",
        "grpc",
        _gateway(None),
        scenarios=frozenset(),
    ),
    Subject("echo", "grpc.aio echo (the floor)", "grpc", _echo, scenarios=LOADED | {"open2000"}),
    Subject(
        "litellm",
        "LiteLLM proxy 1.106.2",
        "http",
        _litellm_proxy("openai/mock", "/v1"),
        ready="/health/liveliness",
        environment={"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        headers=_bearer,
        install=_in_venv("litellm", LITELLM),
    ),
    Subject(
        "portkey",
        "Portkey gateway 1.15.2",
        "http",
        _portkey,
        headers=_portkey_headers,
        install=_install_portkey,
    ),
    Subject(
        "smg",
        "smg 1.13.0",
        "http",
        _smg,
        ready="/readiness",
        headers=_bearer,
        install=_in_venv("smg", SMG),
        scenarios=LOADED - {"embed"},
    ),
)
