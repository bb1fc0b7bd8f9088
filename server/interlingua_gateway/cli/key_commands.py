"""`interlingua keys`, `interlingua tenants` and their commands: their options and their help."""

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

KeyId: TypeAlias = Annotated[
    str, typer.Argument(metavar="ID", help="The part of the key between il_ and the secret.")
]
TenantId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="Its id, such as acme.")]
Models: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="Allow only this model, or a pattern such as openai/*; may be given several times.",
    ),
]

keys_app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke API keys.")
tenants_app = typer.Typer(no_args_is_help=True, help="Make, list and end tenants.")


@keys_app.command()
def create(
    tenant: Annotated[str, typer.Option(metavar="ID", help="Whose it is; by default nobody's.")] = (
        ""
    ),
    name: Annotated[str, typer.Option(metavar="TEXT", help="For a person.")] = "",
    project: Annotated[str, typer.Option(metavar="NAME", help="A project of the tenant.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help="inference (the default), usage, feedback or admin; may be given several times.",
        ),
    ] = None,
    models: Models = None,
    ttl: Annotated[
        str, typer.Option(metavar="TIME", help="How long it lasts: 90d, 12h, 30m. Else for ever.")
    ] = "",
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Make a key. It goes to standard output, and can be had at no other time."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run(
        "keys.create",
        gateway,
        tenant=tenant,
        name=name,
        project=project,
        scopes=tuple(scope or ()),
        models=tuple(models or ()),
        ttl=ttl,
        as_json=as_json,
    )


@keys_app.command("list")
def show(
    tenant: Annotated[str, typer.Option(metavar="ID", help="Only those of a tenant.")] = "",
    ended: Annotated[
        bool, typer.Option("--all", metavar="", help="Also revoked and expired ones.")
    ] = False,
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """List the keys, newest first, without their secrets."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("keys.show", gateway, tenant=tenant, ended=ended, as_json=as_json)


@keys_app.command()
def rotate(
    key: KeyId,
    overlap: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long the old secret goes on: 24h, 30m, 0s."),
    ] = "24h",
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Give a key a new secret. It goes to standard output, and can be had at no other time."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("keys.rotate", gateway, key, overlap=overlap, as_json=as_json)


@keys_app.command()
def revoke(
    key: KeyId,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """End a key."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("keys.revoke", gateway, key)


@tenants_app.command()
def put(
    tenant: TenantId,
    name: Annotated[str, typer.Option(metavar="TEXT", help="For a person.")] = "",
    tier: Annotated[str, typer.Option(metavar="NAME", help="Its tier of limits and budgets.")] = "",
    models: Models = None,
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Make a tenant, or replace the settings of the one with that id."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    found = tuple(models or ())
    run("tenants.put", gateway, tenant, name=name, tier=tier, models=found, as_json=as_json)


@tenants_app.command("list")
def show_tenants(
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """List the tenants."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("tenants.show", gateway, as_json=as_json)


@tenants_app.command()
def delete(
    tenant: TenantId,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """End a tenant and revoke its keys; what it has used stays in the ledger."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("tenants.delete", gateway, tenant)
