"""`interlingua call`: one answer, streamed to the terminal."""

from __future__ import annotations

import mimetypes
import sys
from pathlib import Path

from interlingua import (
    Client,
    GenerateOptions,
    GenerateResult,
    Message,
    Stream,
    image,
    json_schema,
    system,
    user,
)
from interlingua.jsonform import to_json
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import MISUSED, CommandError, stderr
from interlingua_gateway.cli.options import Gateway, Question
from interlingua_gateway.cli.text import end_line, read, write


def run(gateway: Gateway, question: Question, *, as_json: bool, stream: bool) -> None:
    """Ask and write the answer to stdout: as text, or as JSON (one line an event)."""
    messages = _messages(question)
    options = GenerateOptions(
        max_output_tokens=question.max_output_tokens, temperature=question.temperature
    )
    if question.schema is not None:
        options["response_format"] = json_schema(_read_text(question.schema))
    with connected(gateway) as client:
        if stream:
            with client.stream(messages, question.model, **options) as answer:
                _follow(answer, as_json=as_json)
        else:
            _whole(client, messages, question.model, options, as_json=as_json)


def _follow(answer: Stream, *, as_json: bool) -> None:
    if as_json:
        for event in answer:
            write(to_json(event) + "\n")
        return
    summarize(write_text(answer))


def write_text(answer: Stream) -> GenerateResult:
    """Write the text of `answer` as it comes, and end its line however it ends."""
    last = ""
    try:
        for delta in answer.text_deltas():
            write(delta)
            last = delta
    finally:
        if last:
            end_line(last)
    return answer.response


def _whole(
    client: Client,
    messages: list[Message],
    model: str | None,
    options: GenerateOptions,
    *,
    as_json: bool,
) -> None:
    result = client.generate(messages, model, **options)
    if as_json:
        write(to_json(result.raw) + "\n")
        return
    write(result.text)
    end_line(result.text)
    summarize(result)


def summarize(result: GenerateResult) -> None:
    """Say on stderr, if that is a terminal, who answered and what it took."""
    if not sys.stderr.isatty():
        return
    who, usage = result.raw.answered_by, result.usage
    about = "about " if usage.estimated else ""
    facts = [f"{who.model} by {who.provider}"] if who.provider else []
    facts.append(f"{about}{usage.input_tokens} tokens in, {usage.output_tokens} out")
    if result.cost_usd:
        facts.append(f"{result.cost_usd:.6f} USD")
    if result.finish_reason not in ("stop", "stop_sequence"):
        facts.append(f"ended by {result.finish_reason}")
    console = stderr()
    console.print(" · ".join(facts), style="dim", markup=False)
    for warning in result.warnings:
        console.print(f"{warning.field}: {warning.description}", style="yellow", markup=False)


def _messages(question: Question) -> list[Message]:
    words = question.prompt or ("-",)
    text = " ".join(read().strip() if word == "-" else word for word in words).strip()
    if not text and not question.images:
        raise CommandError(
            "There is nothing to ask.",
            advice='Give a prompt: interlingua call "Why is the sky blue?"',
            exit_code=MISUSED,
        )
    parts = [image(path.read_bytes(), _mime_type(path)) for path in question.images]
    asked = user(*([text] if text else []), *parts)
    return [system(question.instructions), asked] if question.instructions else [asked]


def _mime_type(path: Path) -> str:
    found = mimetypes.guess_type(path.name)[0]
    if found is None or not found.startswith("image/"):
        raise CommandError(
            f"{path} does not look like an image.",
            advice="Its name must end in .png, .jpg, .webp or the like.",
            exit_code=MISUSED,
        )
    return found


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8 text.", exit_code=MISUSED) from None
