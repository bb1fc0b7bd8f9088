"""`interlingua feedback` and its commands: their options and their help."""

from __future__ import annotations

from typing import Annotated

import typer

from interlingua_gateway.cli.dispatch import run
from interlingua_gateway.cli.options import (
    LOCALHOST,
    Address,
    ApiKey,
    AsJson,
    CaFile,
    Gateway,
    Opinion,
    Timeout,
    Tls,
    Which,
)
from interlingua_gateway.cli.usage_commands import (
    Key,
    Last,
    Model,
    Outcome,
    Project,
    Provider,
    Since,
    Tags,
    Tenant,
    Until,
    User,
)

SAID = "What is said of it (at least one)"

feedback_app = typer.Typer(no_args_is_help=True, help="What people thought of the answers.")


@feedback_app.command()
def record(
    operation: Annotated[
        str, typer.Argument(metavar="OPERATION", help="Its id, op_..., as in every answer.")
    ],
    rating: Annotated[
        float | None, typer.Option(metavar="GRADE", help="A grade.", rich_help_panel=SAID)
    ] = None,
    scale: Annotated[
        float, typer.Option(metavar="BEST", help="The best grade.", rich_help_panel=SAID)
    ] = 5,
    useful: Annotated[
        bool | None,
        typer.Option(
            "--useful/--useless", metavar="", help="Whether it was of use.", rich_help_panel=SAID
        ),
    ] = None,
    correction: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What it should have been.", rich_help_panel=SAID),
    ] = None,
    improvement: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What would make it better.", rich_help_panel=SAID),
    ] = None,
    error: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What was wrong.", rich_help_panel=SAID)
    ] = None,
    user: Annotated[str, typer.Option(metavar="NAME", help="Who says it. No personal data.")] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Kept with it; may be given several times."),
    ] = None,
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Record what somebody thought of an answer. Each thing that is said is a piece of its own."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    opinion = Opinion(
        rating=rating, scale=scale, useful=useful, correction=correction, improvement=improvement,
        error=error, user=user, labels=tuple(label or ()),
    )  # fmt: skip
    run("feedback.record", gateway, operation, opinion, as_json=as_json)


@feedback_app.command()
def insights(
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
    corrections: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=100, help="At most so many frequent corrections."),
    ] = 5,
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
    """What the feedback adds up to: where there is most of it first."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    which = Which(
        last=last, since=since, until=until, tenant=tenant, project=project, key=key, user=user,
        model=model, provider=provider, tags=tuple(tag or ()), outcome=outcome,
    )  # fmt: skip
    run(
        "feedback.insights",
        gateway,
        which,
        by=tuple(by) if by else ("model",),
        interval=interval,
        corrections=corrections,
        form="csv" if as_csv else "json" if as_json else "table",
    )
