"""`interlingua demo`: run a gateway and let it answer once through gRPC, then keep it up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from interlingua import AsyncClient, InterlinguaError
from interlingua_gateway.app.lifecycle import serve
from interlingua_gateway.cli.choices import Choices
from interlingua_gateway.cli.connection import describe
from interlingua_gateway.cli.failure import stderr
from interlingua_gateway.cli.serve import (
    Display,
    callable_address,
    configured,
    live,
    read_again,
)
from interlingua_gateway.cli.text import end_line, write
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import Tasks

QUESTION: Final = "What is the capital of France?"
LIMIT_TOKENS: Final = 64


class Demo:
    """Watches the gateway start, and asks it something once it is ready."""

    def __init__(self, config: Config, display: Display, tasks: Tasks) -> None:
        self._model = next(model.name for model in config.models)
        self._display = display
        self._tasks = tasks
        self._console = stderr()

    def on_event(self, name: str, facts: Mapping[str, str]) -> None:
        """Pass one event on; ask when it is the readiness."""
        self._display.on_event(name, facts)
        address = callable_address(self._display.addresses)
        if name == "ready" and address is not None:
            self._tasks.start(self._show(address), "demo")

    async def _show(self, address: str) -> None:
        await self._ask(address)
        self._display.how_to_call()

    async def _ask(self, address: str) -> None:
        self._console.print(f"\n> {QUESTION}", style="bold", markup=False)
        last = ""
        try:
            async with (
                AsyncClient(address) as client,
                client.stream(QUESTION, self._model, max_output_tokens=LIMIT_TOKENS) as answer,
            ):
                async for delta in answer.text_deltas():
                    write(delta)
                    last = delta
                usage = answer.response.usage
        except InterlinguaError as error:
            self._console.print(f"error: {describe(error)}", style="red", markup=False)
            return
        end_line(last)
        tokens = f"{usage.input_tokens} tokens in, {usage.output_tokens} out"
        self._console.print(f"{self._model} through gRPC: {tokens}\n", style="dim", markup=False)


def run(choices: Choices) -> None:
    """Run the gateway, show one answer, and stay up until SIGTERM or Ctrl-C."""
    config = configured(choices).config
    display = Display(config, instructive=False)
    live(_live(choices, config, display), display)


async def _live(choices: Choices, config: Config, display: Display) -> None:
    tasks = Tasks()
    on_event, read = Demo(config, display, tasks).on_event, partial(read_again, choices)
    try:
        await serve(config, on_event=on_event, read=read)
    finally:
        await tasks.aclose()
