"""Log lines: always one line, always JSON where that was asked for, never with a secret."""

from __future__ import annotations

import io
import json
import logging

import pytest

from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.telemetry.logs import set_up

SECRET = 'top"secret\\value'


@pytest.fixture
def written():
    """Set up the logs in a form and write one record; gives the text."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def write(
        form: str,
        message: str,
        *,
        exc_info: bool = False,
        log_level: str = "info",
        logger: str = "interlingua.test",
        **fields: object,
    ) -> str:
        stream = io.StringIO()
        set_up(log_level, form, Redactor((SECRET,)), stream)
        logging.getLogger(logger).info(message, extra={"fields": fields}, exc_info=exc_info)
        return stream.getvalue()

    yield write
    root.handlers[:], root.level = handlers, level


def test_a_json_line_has_its_fields(written):
    line = json.loads(written("json", "call", number=1, share=0.5, none=None, names=["a"]))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "interlingua.test",
        "message": "call",
        "number": 1,
        "share": 0.5,
        "none": None,
        "names": ["a"],
    }


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_is_configured_as_confidential_is_nowhere(written, form):
    try:
        raise ValueError(SECRET)
    except ValueError:
        text = written(
            form, f"a {SECRET}", exc_info=True, text=SECRET, deep={"a": [SECRET], SECRET: 1}
        )
    assert "top" not in text
    assert "ValueError" in text
    assert text.count("\n") == 1


def test_a_line_is_json_however_much_a_caller_sends(written):
    metadata = {f"key{i}": "x" * 500 for i in range(1000)}
    text = written("json", "call", metadata=metadata, tags=["t" * 100] * 1000, text="y" * 10**6)
    line = json.loads(text)
    assert len(text) < 40_000
    assert line["message"] == "call"
    assert line["metadata"].endswith("…")


def test_fields_cannot_be_forged(written):
    line = json.loads(written("json", "call", metadata={"u": 'http://a","level":"b@c'}, user="x"))
    assert (line["level"], line["user"]) == ("info", "x")


def test_a_terminal_gets_plain_text_without_what_says_nothing(written):
    text = written("console", "call", number=1, empty="", none=None, zero=0)
    assert text.rstrip().endswith("info call number=1")


def test_only_the_gateways_own_lines_below_warnings_are_written(written):
    written("json", "sets up")
    assert logging.getLogger("interlingua.x").isEnabledFor(logging.INFO)
    assert not logging.getLogger("interlingua.x").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("asyncio").isEnabledFor(logging.INFO)


def test_the_audit_log_is_written_at_every_level(written):
    assert not written("json", "call", log_level="error")
    assert written("json", "admin action", log_level="error", logger="interlingua.audit")
