"""`interlingua embed`: texts into vectors."""

from __future__ import annotations

import json

from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import MISUSED, CommandError
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import read, write

SHOWN = 4


def run(gateway: Gateway, texts: tuple[str, ...], *, model: str | None, as_json: bool) -> None:
    """Write a line for each text: the beginning of its vector, or all of it as JSON."""
    given = texts or tuple(line for line in read().splitlines() if line.strip())
    if not given:
        raise CommandError(
            "There is nothing to embed.",
            advice='Give texts, or lines on standard input: interlingua embed "a text"',
            exit_code=MISUSED,
        )
    with connected(gateway) as client:
        result = client.embed(given, model)
    for text, vector in zip(given, result.vectors, strict=True):
        if as_json:
            write(json.dumps({"text": text, "embedding": vector}, ensure_ascii=False) + "\n")
        else:
            beginning = ", ".join(f"{number:+.4f}" for number in vector[:SHOWN])
            write(f"[{beginning}, ...] {len(vector)} dimensions: {text}\n")
