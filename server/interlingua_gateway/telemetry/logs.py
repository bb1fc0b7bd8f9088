"""Log lines as JSON for machines or as plain text for a terminal, redacted at the last step."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from interlingua_gateway.core.redact import Redactor

LINE_LIMIT = 16_000
TEXT_LIMIT = 8_000


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the record's fields."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        shown = {key: _shown(value, self._redact) for key, value in line.items()}
        return msgspec.json.encode(shown).decode()


class ConsoleFormatter(logging.Formatter):
    """Time, level, message and the fields that say something."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        given: dict[str, object] = getattr(record, "fields", {})
        fields = {key: _shown(value, self._redact) for key, value in given.items()}
        said = " ".join(f"{k}={v}" for k, v in fields.items() if v not in (None, "", 0, [], {}))
        error = self.formatException(record.exc_info) if record.exc_info else ""
        clock = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        text = f"{clock} {record.levelname.lower():7} {record.getMessage()} {said} {error}"
        return self._redact(text.rstrip(), LINE_LIMIT)


def _shown(value: object, redact: Redactor) -> object:
    """`value` without secrets: texts are redacted before quoting can disguise a secret in them. A
    list or mapping that is too long is shown as a text, so that every line is JSON."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        pairs = {redact(str(key)): _shown(item, redact) for key, item in value.items()}
        return _bounded(pairs, redact)
    if isinstance(value, list | tuple):
        return _bounded([_shown(item, redact) for item in value], redact)
    return redact(str(value), TEXT_LIMIT)


def _bounded(value: object, redact: Redactor) -> object:
    text = msgspec.json.encode(value).decode()
    return value if len(text) <= TEXT_LIMIT else redact(text, TEXT_LIMIT)


def set_up(level: str, form: str, redact: Redactor, stream: TextIO | None = None) -> None:
    """Send the logs of the gateway to `stream` (standard error by default).

    `form` is `json`, `console`, or `auto`: console on a terminal, json elsewhere.
    """
    out = stream or sys.stderr
    console = form == "console" or (form == "auto" and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(ConsoleFormatter(redact) if console else JsonFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    set_level(level)
    # Who was refused and who changed something is told at every level.
    logging.getLogger("interlingua.audit").setLevel(logging.INFO)


def set_level(level: str) -> None:
    """From now on write what is at least as important as `level`."""
    logging.getLogger("interlingua").setLevel(level.upper())
