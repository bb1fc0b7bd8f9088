"""Where the ledger, keys and budgets are kept."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from interlingua_gateway.config.fields import Seconds
from interlingua_gateway.config.secret import Secret, Surroundings, is_reference, resolve
from interlingua_gateway.config.section import Section

_POSTGRES = re.compile(r"postgres(?:ql)?://(?P<credentials>[^/]*@)?\S*\Z")


def _url(value: Any, info: ValidationInfo) -> Any:
    if value is None or isinstance(value, Secret):
        return value
    if is_reference(value) and isinstance(info.context, Surroundings):
        secret = resolve(value, info.context)
        _checked(secret.reveal())
        return secret
    credentials = _checked(value)["credentials"] if isinstance(value, str) else None
    if credentials is not None and ":" in credentials:
        raise ValueError("a password does not belong into a URL; use password, or env:NAME as url")
    return value


def _checked(value: str) -> re.Match[str]:
    match = _POSTGRES.match(value)
    if match is None:
        raise ValueError(
            "write postgresql://user@host:5432/name, or env:NAME that holds such a URL"
        )
    if "password=" in value:
        raise ValueError("a password does not belong into the query of a URL; use password")
    return match


class DatabaseConfig(Section):
    """The database. No call waits for it."""

    url: Annotated[str | Secret | None, BeforeValidator(_url)] = None
    """postgresql://user@host:5432/name, which several gateways may share; or env:NAME or file:/path
    that holds such a URL with its password. null is SQLite, in the file interlingua.sqlite3 of
    data_dir."""
    password: Secret | None = None
    """Password of the user that url names: env:NAME or file:/path."""
    statement_timeout_s: Seconds = 30
    """Seconds that one statement may take."""
