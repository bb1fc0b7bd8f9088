"""Log lines as JSON for machines or as plain text for a terminal, redacted at the last step."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from interlingua_gateway.core.redact import Redactor

LINE_LIMIT = 16_000


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
        return self._redact(msgspec.json.encode(line, enc_hook=str).decode(), LINE_LIMIT)


class ConsoleFormatter(logging.Formatter):
    """Time, level, message and the fields that say something."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = getattr(record, "fields", {})
        said = " ".join(f"{k}={v}" for k, v in fields.items() if v not in (None, "", 0, [], {}))
        error = self.formatException(record.exc_info) if record.exc_info else ""
        clock = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        text = f"{clock} {record.levelname.lower():7} {record.getMessage()} {said} {error}"
        return self._redact(text.rstrip(), LINE_LIMIT)


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
    logging.getLogger("interlingua").setLevel(level.upper())
