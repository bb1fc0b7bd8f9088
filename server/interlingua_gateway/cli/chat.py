"""`interlingua chat`: a conversation at the terminal."""

from __future__ import annotations

import sys
from contextlib import suppress

from interlingua import Client, InterlinguaError, Message, system, user
from interlingua_gateway.cli.call import summarize, write_text
from interlingua_gateway.cli.connection import connected, describe
from interlingua_gateway.cli.failure import stderr
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import write

with suppress(ImportError):  # gives input() a history and line editing, where there is one
    import readline as readline

HELP = """\
/model NAME  talk to another model; the conversation stays
/model       which model answers
/reset       begin a new conversation
/help        this text
/quit        leave (as Ctrl-D does)
Ctrl-C       stop an answer; the question is then forgotten"""


class Conversation:
    """What was said so far, and with whom."""

    def __init__(self, client: Client, model: str | None, instructions: str | None) -> None:
        self._client = client
        self._model = model
        self._opening = [system(instructions)] if instructions else []
        self._messages: list[Message] = list(self._opening)
        self._console = stderr()

    def take(self, line: str) -> bool:
        """Obey a command or answer a question; False when it was the last line."""
        if not line.startswith("/"):
            self._ask(line)
            return True
        command, _, argument = line.partition(" ")
        if command == "/quit":
            return False
        if command == "/reset":
            self._messages = list(self._opening)
            self._say("A new conversation.")
        elif command == "/model":
            self._model = argument.strip() or self._model
            self._say(f"Model: {self._model or 'default'}")
        elif command == "/help":
            self._say(HELP)
        else:
            self._say(f"There is no {command}; /help lists the commands.")
        return True

    def _ask(self, text: str) -> None:
        messages = [*self._messages, user(text)]
        try:
            with self._client.stream(messages, self._model) as answer:
                result = write_text(answer)
        except KeyboardInterrupt:
            self._say("Stopped. The question is forgotten.")
            return
        except InterlinguaError as error:
            self._say(f"error: {describe(error)}", style="red")
            return
        self._messages = [*messages, result.message]
        summarize(result)

    def _say(self, text: str, style: str = "dim") -> None:
        self._console.print(text, style=style, markup=False)


def run(gateway: Gateway, *, model: str | None, instructions: str | None) -> None:
    """Talk until /quit or the end of the input."""
    with connected(gateway) as client:
        client.models()
        conversation = Conversation(client, model, instructions)
        interactive = sys.stdin.isatty()
        if interactive:
            stderr().print("/help lists the commands, Ctrl-D leaves.", style="dim")
        while (line := _read_line(interactive=interactive)) is not None:
            if line and not conversation.take(line):
                return


def _read_line(*, interactive: bool) -> str | None:
    """The next line without spaces around it; None at the end of the input."""
    try:
        return input("> " if interactive else "").strip()
    except EOFError:
        if interactive:
            write("\n")
        return None
    except KeyboardInterrupt:
        write("\n")
        return ""
