"""The commands and their help; each does its work in a module of its own."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Annotated, Final

import typer

from interlingua_gateway.cli.budget_commands import budgets_app
from interlingua_gateway.cli.choices import Choices
from interlingua_gateway.cli.dispatch import run
from interlingua_gateway.cli.feedback_commands import feedback_app
from interlingua_gateway.cli.key_commands import keys_app, tenants_app
from interlingua_gateway.cli.options import (
    LOCALHOST,
    Address,
    ApiKey,
    AsJson,
    CaFile,
    ConfigFile,
    Gateway,
    Http,
    Instructions,
    Listen,
    LogLevel,
    ModelName,
    Question,
    Timeout,
    Tls,
)
from interlingua_gateway.cli.usage_commands import usage_app

DISTRIBUTION: Final = "interlingua-gateway"


app = typer.Typer(
    name="interlingua",
    help="An LLM gateway whose front is gRPC: run it (serve) and talk to it (call, chat, embed).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(no_args_is_help=True, help="Check, show and describe the configuration.")
app.add_typer(config_app, name="config")
cache_app = typer.Typer(no_args_is_help=True, help="Remove answers that a gateway keeps.")
app.add_typer(cache_app, name="cache")
app.add_typer(budgets_app, name="budgets")
app.add_typer(keys_app, name="keys")
app.add_typer(tenants_app, name="tenants")
app.add_typer(usage_app, name="usage")
app.add_typer(feedback_app, name="feedback")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"interlingua {metadata.version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_show_version, is_eager=True, help="The version."
        ),
    ] = False,
) -> None:
    """An LLM gateway whose front is gRPC: run it (serve) and talk to it (call, chat, embed)."""


@app.command()
def serve(
    config: ConfigFile = None,
    listen: Listen = None,
    http: Http = None,
    log_level: LogLevel = None,
) -> None:
    """Run a gateway until Ctrl-C. It needs no configuration."""
    run("serve", Choices(file=config, listen=tuple(listen or ()), http=http, log_level=log_level))


@app.command()
def demo(
    config: ConfigFile = None,
    listen: Listen = None,
    http: Http = None,
    log_level: LogLevel = None,
) -> None:
    """Run a gateway, and let it answer once before it waits for calls."""
    run("demo", Choices(file=config, listen=tuple(listen or ()), http=http, log_level=log_level))


@app.command()
def call(
    prompt: Annotated[
        list[str] | None,
        typer.Argument(help="What to ask. Without it, or for a -, standard input is read."),
    ] = None,
    model: ModelName = None,
    instructions: Instructions = None,
    max_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Longest answer in tokens.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(metavar="T", help="0 is sober, 1 and more is lively.")
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Show the model a picture; may be given several times."),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A JSON schema that the answer must satisfy."),
    ] = None,
    as_json: AsJson = False,
    stream: Annotated[
        bool, typer.Option("--stream/--no-stream", metavar="", help="Write it as it comes.")
    ] = True,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Ask once. The answer goes to standard output, what it took to standard error."""
    question = Question(
        prompt=tuple(prompt or ()),
        model=model,
        instructions=instructions,
        images=tuple(image or ()),
        schema=schema,
        max_output_tokens=max_tokens,
        temperature=temperature,
    )
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("call", gateway, question, as_json=as_json, stream=stream)


@app.command()
def chat(
    model: ModelName = None,
    instructions: Instructions = None,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Talk with a model. /help lists what can be typed besides questions."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("chat", gateway, model=model, instructions=instructions)


@app.command()
def embed(
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts. Without them each line of standard input is one."),
    ] = None,
    model: ModelName = None,
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Turn texts into vectors."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("embed", gateway, tuple(texts or ()), model=model, as_json=as_json)


@app.command()
def models(
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """List the models of a gateway: what serves them, what they can do and what they cost."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("models", gateway, as_json=as_json)


@app.command()
def health(
    as_json: AsJson = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Ask a gateway how it is. Exit code 0 means that it serves, 1 that it does not."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("health", gateway, as_json=as_json)


@app.command()
def migrate(config: ConfigFile = None) -> None:
    """Bring the schema of the database up to date. Gateways do that too when they start."""
    run("migrate", config)


@app.command()
def doctor(config: ConfigFile = None) -> None:
    """Look for what works on this machine and what does not, and say why."""
    run("doctor", config)


@cache_app.command()
def invalidate(
    operation: Annotated[
        str | None, typer.Option(metavar="ID", help="The answer that this operation made.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="All answers of a model.")
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="ID", help="All answers of a tenant; '' for callers without one."),
    ] = None,
    tag: Annotated[
        str | None, typer.Option(metavar="TAG", help="All answers with this tag.")
    ] = None,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Remove answers from the cache; give exactly one of the first four options."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("cache.invalidate", gateway, operation=operation, model=model, tenant=tenant, tag=tag)


@config_app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The same as --config FILE.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Check a file together with the environment. Exit code 2 means that it has problems."""
    run("configuration.check", file or config)


@config_app.command()
def show(config: ConfigFile = None) -> None:
    """Write the configuration in force, secrets masked, with where each value comes from."""
    run("configuration.show", config)


@config_app.command()
def reload(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Only say what would change.")
    ] = False,
    address: Address = LOCALHOST,
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    api_key: ApiKey = None,
) -> None:
    """Have a gateway read its configuration again and put it in force; no call is dropped."""
    gateway = Gateway(address=address, tls=tls, ca_file=ca_file, timeout_s=timeout, api_key=api_key)
    run("reload", gateway, dry_run=dry_run)


@config_app.command()
def schema() -> None:
    """Write the JSON schema of the configuration, with the environment variable of each key."""
    run("configuration.schema")


def main() -> None:
    """Do what the command line says."""
    app()
