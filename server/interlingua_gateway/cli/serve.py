"""`interlingua serve`: run a gateway, and say where it is and how to call it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from interlingua_gateway.app.lifecycle import serve
from interlingua_gateway.cli.choices import LOCALHOST, Choices
from interlingua_gateway.cli.configuration import Overrides, loaded, read
from interlingua_gateway.cli.failure import CommandError, stderr
from interlingua_gateway.config.environment import variable_of
from interlingua_gateway.config.load import Loaded
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.errors import GatewayError

if TYPE_CHECKING:
    from rich.status import Status

if sys.platform != "win32":
    from uvloop import new_event_loop as new_event_loop
else:
    from asyncio import new_event_loop as new_event_loop

PROMPT: Final = "Why is the sky blue?"


class Display:
    """Tells a person what happens; shows that something goes on while a model loads.

    With `instructive` it says how to call the gateway as soon as that is possible.
    """

    def __init__(self, config: Config, *, instructive: bool = True) -> None:
        self._config = config
        self._instructive = instructive
        self._console = stderr()
        self._status: Status | None = None
        self.addresses: list[str] = []

    def on_event(self, name: str, facts: Mapping[str, str]) -> None:
        """Show one event of the gateway's life."""
        if name == "loading":
            self._wait_for(facts)
            return
        if name in ("loaded", "failed", "draining"):
            self._stop_waiting()
        if name == "listening":
            self.addresses.append(facts["address"])
        self._say(_SENTENCES.get(name, name).format_map(facts))
        if name == "ready" and self._instructive:
            self.how_to_call()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._stop_waiting()

    def _wait_for(self, facts: Mapping[str, str]) -> None:
        self._stop_waiting()
        text = f"loading the model of {facts['model']} ..."
        if facts.get("after"):
            self._say(f"the model of {facts['model']} ended: {facts['after']}")
        if self._console.is_terminal:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._say(text)

    def _stop_waiting(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False)

    def how_to_call(self) -> None:
        """Say which models there are and what to type in order to call them."""
        names = [model.name for model in self._config.models]
        self._say(f"models    {', '.join(names)}")
        address = callable_address(self.addresses)
        if address is None:
            return
        option = "" if address == LOCALHOST else f" --address {address}"
        lines = [f'interlingua call{option} "{PROMPT}"', f"interlingua chat{option}"]
        if not address.startswith("unix:") and self._config.server.reflection:
            data = json.dumps({"messages": [{"role": "ROLE_USER", "parts": [{"text": PROMPT}]}]})
            method = "interlingua.v1.GatewayService/StreamGenerate"
            plain = "--protocol grpc --http2-prior-knowledge"
            lines.append(f"buf curl {plain} -d '{data}' http://{address}/{method}")
            lines.append(f"grpcurl -plaintext -d '{data}' {address} {method}")
        if self._config.server.tls is None:
            self._say("Call it from another terminal:")
            for line in lines:
                self._say(f"  {line}")
        self._say("Ctrl-C stops it.")


class Journal:
    """Tells a machine what happens, among the other log lines of the gateway."""

    def __init__(self) -> None:
        self._log = logging.getLogger("interlingua.life")

    def on_event(self, name: str, facts: Mapping[str, str]) -> None:
        """Log one event of the gateway's life."""
        level = logging.ERROR if name == "failed" else logging.INFO
        self._log.log(level, name, extra={"fields": facts})

    def close(self) -> None:
        """Nothing is left to be tidied up."""


_SENTENCES: Mapping[str, str] = {
    "loaded": "loaded    {model} in {seconds} s",
    "failed": "failed    {model}: {reason}",
    "listening": "gRPC      {address}",
    "http": "metrics   http://{address}/metrics",
    "ready": "ready",
    "draining": "draining, open calls: {calls} (Ctrl-C again ends them)",
    "stopped": "stopped",
}


def run(choices: Choices) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    config = configured(choices).config
    display = Display(config) if for_people(config) else Journal()
    read_anew = partial(read_again, choices)
    live(serve(config, on_event=display.on_event, read=read_anew), display)


def live(life: Coroutine[object, object, None], display: Display | Journal) -> NoReturn:
    """Run `life` to its end in an event loop of its own, and end the process.

    What the gateway owns is closed by then. Threads that still import a library, or wait for a
    database that does not answer, hold nothing that is needed, and are not waited for.

    Raises:
        CommandError: the gateway could not start.
    """
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(life)
            display.on_event("stopped", {})
            display.close()
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
    except GatewayError as error:
        raise CommandError(error.message, advice="`interlingua doctor` looks for causes.") from None
    finally:
        display.close()


def configured(choices: Choices) -> Loaded:
    """The configuration with the options of the command over it.

    Raises:
        CommandError: with every problem.
    """
    return loaded(choices.file, _overrides(choices))


def read_again(choices: Choices) -> Config:
    """The same as it is now.

    Raises:
        ConfigError: with every problem.
    """
    return read(choices.file, _overrides(choices)).config


def _overrides(choices: Choices) -> Overrides:
    overrides: dict[str, tuple[str, str]] = {}
    if choices.listen:
        listen = json.dumps(list(choices.listen))
        overrides[variable_of(("server", "listen"))] = ("--listen", listen)
    if choices.http is not None:
        value = "null" if choices.http == "none" else json.dumps(choices.http)
        overrides[variable_of(("http", "listen"))] = ("--http", value)
    if choices.log_level is not None:
        overrides[variable_of(("telemetry", "log_level"))] = ("--log-level", choices.log_level)
    return overrides


def for_people(config: Config) -> bool:
    """Whether a person reads what the gateway says."""
    form = config.telemetry.log_format
    return form == "console" or (form == "auto" and sys.stderr.isatty())


def callable_address(addresses: list[str]) -> str | None:
    """Where a caller on this machine reaches a gateway that listens on `addresses`."""
    for address in addresses:
        host, _, port = address.rpartition(":")
        if address.startswith("unix:"):
            return address
        return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else address
    return None
