"""`interlingua usage` and its commands: their options and their help."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from interlingua_gateway.cli.dispatch import run
from interlingua_gateway.cli.options import (
    LOCALHOST,
    Address,
    ApiKey,
    AsJson,
    CaFile,
    Gateway,
    Timeout,
    Tls,
    Which,
)

ONLY = "Only operations that match"
TIME = "When (by default the last 24 hours)"

Last: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Such as 30m, 24h or 7d.", rich_help_panel=TIME),
]
Since: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN", help="2026-01-31, or 2026-01-31T09:30; UTC.", rich_help_panel=TIME
    ),
]
Until: TypeAlias = Annotated[
    str | None, typer.Option(metavar="WHEN", help="By default now.", rich_help_panel=TIME)
]
Tenant: TypeAlias = Annotated[
    str, typer.Option(metavar="ID", help="Of a tenant.", rich_help_panel=ONLY)
]
Project: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="Of a project.", rich_help_panel=ONLY)
]
Key: TypeAlias = Annotated[
    str, typer.Option(metavar="ID", help="With an API key.", rich_help_panel=ONLY)
]
User: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="For an end user.", rich_help_panel=ONLY)
]
Model: TypeAlias = Annotated[
    str, typer.Option("--model", "-m", metavar="NAME", help="On a model.", rich_help_panel=ONLY)
]
Provider: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="Answered by a provider.", rich_help_panel=ONLY)
]
Tags: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        metavar="TAG",
        help="With a tag; may be given several times.",
        rich_help_panel=ONLY,
    ),
]
Outcome: TypeAlias = Annotated[
    str, typer.Option(metavar="WORD", help="ok, failed or cancelled.", rich_help_panel=ONLY)
]

usage_app = typer.Typer(help="What was used, by whom, and what it cost.")


@usage_app.callback(invoke_without_command=True)
def usage(
    context: typer.Context,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="In groups: tenant, project, key, user, model, provider or tag; may be given "
            "several times. By default by model.",
        ),
    ] = None,
    interval: Annotated[
        str, typer.Option(metavar="STEP", help="In steps of time: hour or day (UTC).")
    ] = "",
    top: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="At most so many groups.")
    ] = 20,
    as_csv: Annotated[
        bool, typer.Option("--csv", metavar="", help="Write CSV for spreadsheets.")
    ] = False,
    as_json: AsJson = False,
    last: Last = None,
    since: Since = None,
    until: Until = None,
    tenant: Tenant = "",
    project: Project = "",
    key: Key = "",
    user: User = "",
    model: Model = "",
    provider: Provider = "",
    tag: Tags = None,
    outcome: Outcome = "",
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """What was used, by whom, and what it cost: the dearest first."""
    if context.invoked_subcommand is not None:
        return
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    which = Which(
        last=last, since=since, until=until, tenant=tenant, project=project, key=key, user=user,
        model=model, provider=provider, tags=tuple(tag or ()), outcome=outcome,
    )  # fmt: skip
    run(
        "usage.totals",
        gateway,
        which,
        by=tuple(by) if by else ("model",),
        interval=interval,
        top=top,
        form="csv" if as_csv else "json" if as_json else "table",
    )


@usage_app.command()
def operations(
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many.")
    ] = 20,
    as_json: AsJson = False,
    last: Last = None,
    since: Since = None,
    until: Until = None,
    tenant: Tenant = "",
    project: Project = "",
    key: Key = "",
    user: User = "",
    model: Model = "",
    provider: Provider = "",
    tag: Tags = None,
    outcome: Outcome = "",
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """List single operations, newest first."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    which = Which(
        last=last, since=since, until=until, tenant=tenant, project=project, key=key, user=user,
        model=model, provider=provider, tags=tuple(tag or ()), outcome=outcome,
    )  # fmt: skip
    run("usage.operations", gateway, which, limit=limit, as_json=as_json)
