"""`interlingua budgets` and its commands: their options and their help."""

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
)

SCOPE = "Whose spending counts (by default everybody's)"

BudgetId: TypeAlias = Annotated[
    str, typer.Argument(metavar="ID", help="Its name: lower-case letters, digits, _ and -.")
]

budgets_app = typer.Typer(no_args_is_help=True, help="Make, list and end budgets.")


@budgets_app.command()
def put(
    budget: BudgetId,
    limit_usd: Annotated[
        str, typer.Option("--limit-usd", metavar="USD", help="How much may be spent.")
    ],
    period: Annotated[
        str, typer.Option(metavar="PERIOD", help="day, week (from Monday), month or total; UTC.")
    ] = "month",
    soft: Annotated[
        bool, typer.Option("--soft", metavar="", help="Warn, and do not refuse calls.")
    ] = False,
    alert_at: Annotated[
        list[float] | None,
        typer.Option(
            metavar="SHARE",
            help="Alert when this share is spent; may be given several times. By default 0.5, 0.8 "
            "and 1.",
        ),
    ] = None,
    tenant: Annotated[
        str, typer.Option(metavar="ID", help="A tenant's.", rich_help_panel=SCOPE)
    ] = "",
    project: Annotated[
        str, typer.Option(metavar="NAME", help="A project's.", rich_help_panel=SCOPE)
    ] = "",
    key: Annotated[
        str, typer.Option(metavar="ID", help="With an API key.", rich_help_panel=SCOPE)
    ] = "",
    user: Annotated[
        str, typer.Option(metavar="NAME", help="For an end user.", rich_help_panel=SCOPE)
    ] = "",
    model: Annotated[
        str,
        typer.Option("--model", "-m", metavar="NAME", help="On a model.", rich_help_panel=SCOPE),
    ] = "",
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Make a budget, or replace the one of that id; what was spent stays spent."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run(
        "budgets.put",
        gateway,
        budget,
        limit_usd=limit_usd,
        period=period,
        soft=soft,
        alert_at=(0.5, 0.8, 1.0) if alert_at is None else tuple(alert_at),
        scope={"tenant": tenant, "project": project, "key": key, "user": user, "model": model},
        as_json=as_json,
    )


@budgets_app.command("list")
def show(
    tenant: Annotated[str, typer.Option(metavar="ID", help="Only those of a tenant.")] = "",
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """List the budgets with what is spent of each, those of the configuration among them."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("budgets.show", gateway, tenant=tenant, as_json=as_json)


@budgets_app.command()
def delete(
    budget: BudgetId,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """End a budget."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("budgets.delete", gateway, budget)
