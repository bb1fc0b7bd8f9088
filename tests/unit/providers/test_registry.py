"""The rows of providers."""

from __future__ import annotations

import pytest

from interlingua_gateway.config.known import KNOWN
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.accounts import dialect_of
from interlingua_gateway.providers.registry import BY_NAME, ROWS, ProviderRow, openai_dialect
from interlingua_gateway.providers.transport.messages import split_url
from tests.support.manual_clock import ManualClock
from tests.support.openai import ask, attempt

ENDPOINTS = {"openai": "/chat/completions", "anthropic": "/v1/messages"}


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_row(row: ProviderRow) -> None:
    origin, path = split_url(row.base_url or "https://account.example")
    assert origin.secure or origin.host == "127.0.0.1"
    assert bool(row.key_variables) == origin.secure
    dialect = dialect_of(
        row, redactor=Redactor(), clock=ManualClock(), api_key="k",
        base_url="" if row.base_url else "https://account.example",
    )  # fmt: skip
    made = dialect.request(attempt(ask(), provider=row.name))
    assert made.origin == origin
    assert made.path.startswith(path)
    assert made.path.endswith(ENDPOINTS[row.api])


def test_rows_and_the_configuration_agree() -> None:
    """The configuration may not import this room; its table of key variables says the same."""
    known = {provider.kind: provider for provider in KNOWN if provider.kind != "litellm"}
    assert set(known) == set(BY_NAME)
    for kind, provider in known.items():
        variables = [s.variables for s in provider.settings if s.key == ("api_key",)]
        assert BY_NAME[kind].key_variables == (variables[0] if variables else ())


@pytest.mark.parametrize(
    ("name", "url"),
    [("azure", ""), ("azure", "host/v1"), ("azure", "ftp://host"), ("anthropic", "host/v1")],
)
def test_unusable_base_url(name: str, url: str) -> None:
    with pytest.raises(InternalError, match="base_url"):
        dialect_of(BY_NAME[name], redactor=Redactor(), clock=ManualClock(), base_url=url)


def test_headers_of_the_account_may_replace_the_key() -> None:
    dialect = openai_dialect(
        BY_NAME["openai"],
        redactor=Redactor(),
        clock=ManualClock(),
        api_key="k",
        headers={"Authorization": "Custom x", "OpenAI-Organization": "o"},
    )
    headers = dict(dialect.request(attempt(ask())).headers)
    assert headers["authorization"] == "Custom x"
    assert headers["openai-organization"] == "o"
