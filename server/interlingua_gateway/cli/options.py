"""The options that commands share, and what they say as values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
import typer

from interlingua_gateway.cli.choices import LOCALHOST as LOCALHOST

CONNECTION: Final = "Which gateway"

Address: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="INTERLINGUA_ADDRESS",
        metavar="HOST:PORT",
        help="Where the gateway listens; or unix:/path.",
        rich_help_panel=CONNECTION,
    ),
]
Tls: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--tls", metavar="", help="Speak TLS, with the usual roots.", rich_help_panel=CONNECTION
    ),
]
CaFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        envvar="INTERLINGUA_CA_FILE",
        metavar="FILE",
        help="Speak TLS, and trust these PEM certificates.",
        rich_help_panel=CONNECTION,
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", help="Give up after this time.", rich_help_panel=CONNECTION
    ),
]
ApiKey: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar="INTERLINGUA_API_KEY",
        metavar="KEY",
        help="Your key or token. Better in the variable: other users see options.",
        rich_help_panel=CONNECTION,
    ),
]
ModelName: TypeAlias = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME", help="One of `interlingua models`."),
]
Instructions: TypeAlias = Annotated[
    str | None,
    typer.Option("--system", "-s", metavar="TEXT", help="Instructions for the model."),
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", metavar="", help="Write JSON for programs.")
]
ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="INTERLINGUA_CONFIG",
        metavar="FILE",
        help="A YAML file. Without one the embedded model serves, and every provider whose API "
        "key is in the environment.",
    ),
]
Listen: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="ADDRESS", help="host:port or unix:/path; may be given several times."),
]
Http: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Where metrics and probes are served, or none."),
]
LogLevel: TypeAlias = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")
]


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """Which gateway a command talks to; `timeout_s` bounds each of its calls, in seconds."""

    address: str
    tls: bool = False
    ca_file: Path | None = None
    timeout_s: float | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"Gateway({self.address})"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask. `prompt` is empty for standard input, and `-` in it stands for that."""

    prompt: tuple[str, ...]
    model: str | None = None
    instructions: str | None = None
    images: tuple[Path, ...] = ()
    schema: Path | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Which operations of the ledger; what is empty or None does not matter. `last` is a time such
    as 24h; `since` and `until` are dates or moments in ISO 8601."""

    last: str | None = None
    since: str | None = None
    until: str | None = None
    tenant: str = ""
    project: str = ""
    key: str = ""
    user: str = ""
    model: str = ""
    provider: str = ""
    tags: tuple[str, ...] = ()
    outcome: str = ""


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody thought of an answer: what is None is not said. `rating` is from 0 to `scale`;
    `labels` are such as page=7."""

    rating: float | None = None
    scale: float = 5
    useful: bool | None = None
    correction: str | None = None
    improvement: str | None = None
    error: str | None = None
    user: str = ""
    labels: tuple[str, ...] = ()
