"""`interlingua keys`: API keys of a gateway."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from rich.console import Console
from rich.table import Table

from interlingua.access import new_key
from interlingua.jsonform import to_json
from interlingua.v1.admin_service_pb2 import (
    ApiKey,
    CreateApiKeyResponse,
    RotateApiKeyResponse,
    Scope,
)
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import MISUSED, CommandError, stderr
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import write

_TIME: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def create(
    gateway: Gateway,
    *,
    tenant: str,
    name: str,
    project: str,
    scopes: Sequence[str],
    models: Sequence[str],
    ttl: str,
    as_json: bool,
) -> None:
    """Make a key; `ttl` is empty or a time such as 90d."""
    wish = new_key(
        tenant,
        name=name,
        project=project,
        scopes=_scopes(scopes),
        models=models,
        ttl=_time(ttl, "--ttl") if ttl else None,
    )
    with connected(gateway) as client:
        key, secret = client.access.create_key(wish)
    if as_json:
        write(to_json(CreateApiKeyResponse(api_key=key, secret=secret)) + "\n")
    else:
        _show_secret(key, secret, "made")


def show(gateway: Gateway, *, tenant: str, ended: bool, as_json: bool) -> None:
    """Write the keys as a table, or as JSON (one line a key)."""
    with connected(gateway) as client:
        keys = client.access.keys(tenant, ended=ended)
    if as_json:
        for key in keys:
            write(to_json(key) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("key", "of", "name", "allows", "models", "made (UTC)", "ends (UTC)"):
        table.add_column(heading, overflow="fold")
    for key in keys:
        of = f"{key.tenant_id}/{key.project}" if key.project else key.tenant_id
        models = ", ".join(key.allowed_models) or "all"
        made = _when(key.created_at.ToDatetime())
        table.add_row(key.id, of or "-", key.display_name, _allows(key), models, made, _ends(key))
    Console(highlight=False, markup=False).print(table)


def rotate(gateway: Gateway, key: str, *, overlap: str, as_json: bool) -> None:
    """Give a key a new secret; `overlap` is a time such as 24h."""
    with connected(gateway) as client:
        rotated, secret = client.access.rotate_key(key, _time(overlap, "--overlap"))
    if as_json:
        write(to_json(RotateApiKeyResponse(api_key=rotated, secret=secret)) + "\n")
    else:
        _show_secret(rotated, secret, f"rotated; its old secret works for {overlap} more")


def revoke(gateway: Gateway, key: str) -> None:
    """End a key."""
    with connected(gateway) as client:
        client.access.revoke_key(key)
    write(f"{key} revoked\n")


def _show_secret(key: ApiKey, secret: str, what: str) -> None:
    """The secret alone goes to standard output, so that it can be led into a file."""
    console = stderr()
    owner = f" of {key.tenant_id}" if key.tenant_id else ""
    console.print(f"key {key.id}{owner} {what}", markup=False)
    console.print("Keep what follows: it is shown only now.", markup=False, style="dim")
    write(f"{secret}\n")


def _scopes(names: Sequence[str]) -> Sequence[str]:
    known = [name.removeprefix("SCOPE_").lower() for name in Scope.keys()[1:]]
    if not set(names) <= set(known):
        raise CommandError(f"--scope is one of {', '.join(known)}", exit_code=MISUSED)
    return names


def _time(text: str, option: str) -> timedelta:
    match = _TIME.fullmatch(text)
    if match is None:
        raise CommandError(f"{option} is a time such as 90d, 12h, 30m or 0s", exit_code=MISUSED)
    return timedelta(seconds=int(match[1]) * _UNITS_S[match[2]])


def _allows(key: ApiKey) -> str:
    return ", ".join(Scope.Name(scope).removeprefix("SCOPE_").lower() for scope in key.scopes)


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _ends(key: ApiKey) -> str:
    if key.HasField("revoked_at"):
        return f"revoked {_when(key.revoked_at.ToDatetime())}"
    return _when(key.expires_at.ToDatetime()) if key.HasField("expires_at") else "never"
