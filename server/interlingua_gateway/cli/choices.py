"""How to run a gateway, as its command line says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

LOCALHOST: Final = "127.0.0.1:50051"

_OPTIONS: Final[Mapping[str, str]] = {
    "--config": "file",
    "-c": "file",
    "--listen": "listen",
    "--http": "http",
    "--log-level": "log_level",
}


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a gateway; None and empty leave it to the configuration."""

    file: Path | None = None
    listen: tuple[str, ...] = ()
    http: str | None = None
    log_level: str | None = None


def choices_of(arguments: Sequence[str]) -> Choices | None:
    """What `serve` is told, if `arguments` are that and options of it with a value each.

    None for everything else, which the library of commands understands, or refuses with advice.
    """
    if arguments[:1] != ["serve"] or not len(arguments) % 2:
        return None
    given: dict[str, list[str]] = {}
    for option, value in zip(arguments[1::2], arguments[2::2], strict=True):
        if option not in _OPTIONS or not value or value.startswith("-"):
            return None
        given.setdefault(_OPTIONS[option], []).append(value)
    last = {name: values[-1] for name, values in given.items()}
    return Choices(
        file=Path(last["file"]) if "file" in last else None,
        listen=tuple(given.get("listen", ())),
        http=last.get("http"),
        log_level=last.get("log_level"),
    )
