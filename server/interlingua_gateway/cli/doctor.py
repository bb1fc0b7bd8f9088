"""`interlingua doctor`: what works on this machine and what does not, and why."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from interlingua_gateway.app.database import schema_version
from interlingua_gateway.app.stores import redis_version
from interlingua_gateway.cli.configuration import loaded
from interlingua_gateway.cli.failure import CommandError
from interlingua_gateway.config.known import KNOWN
from interlingua_gateway.config.load import Loaded
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.errors import GatewayError, InternalError
from interlingua_gateway.providers.local.weights import find_weights
from interlingua_gateway.store.sql.failures import DatabaseDown

OLDEST_PYTHON: Final = (3, 11)
OLDEST_REDIS: Final = 7
MALICIOUS: Final = ("1.82.7", "1.82.8", "1.107.")
"""Releases of litellm that stole credentials."""


class Verdict(StrEnum):
    GOOD = "ok"
    MISSING = "--"
    BAD = "!!"


STYLES: Final = ((Verdict.GOOD, "green"), (Verdict.MISSING, "yellow"), (Verdict.BAD, "bold red"))


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, and what was found. MISSING is something one can do without."""

    verdict: Verdict
    subject: str
    description: str


def run(file: Path | None) -> None:
    """Write all findings; raises CommandError (exit code 1) if one of them is bad."""
    console = Console(highlight=False)
    styles = dict(STYLES)
    bad = 0
    for finding in _findings(file):
        console.print(f"[{styles[finding.verdict]}]{finding.verdict}[/]", end="  ")
        console.print(f"{finding.subject:<14} {finding.description}", markup=False)
        bad += finding.verdict is Verdict.BAD
    if bad:
        raise CommandError(f"{bad} of these must be mended before the gateway can run.")


def _findings(file: Path | None) -> Iterator[Finding]:
    yield _python()
    yield _package("grpcio", needed=True)
    yield _litellm()
    try:
        found = loaded(file)
    except CommandError as error:
        yield Finding(Verdict.BAD, "configuration", error.message)
        return
    where = str(found.file or "no file: the defaults and the environment")
    yield Finding(Verdict.GOOD, "configuration", where)
    yield from _local_models(found)
    yield from _keys(found)
    yield _data_dir(found.config.data_dir)
    if found.config.database.url is not None:
        yield _postgresql(found.config)
    if found.config.redis is not None:
        yield _redis(found.config)
    for address in found.config.server.listen:
        yield _address(address, "gRPC")
    if found.config.http.listen is not None:
        yield _address(found.config.http.listen, "metrics")


def _python() -> Finding:
    good = sys.version_info >= OLDEST_PYTHON
    needed = "" if good else f"; {'.'.join(map(str, OLDEST_PYTHON))} or later is needed"
    described = f"{platform.python_version()} on {platform.system()} {platform.machine()}{needed}"
    return Finding(Verdict.GOOD if good else Verdict.BAD, "Python", described)


def _package(name: str, *, needed: bool) -> Finding:
    try:
        return Finding(Verdict.GOOD, name, metadata.version(name))
    except metadata.PackageNotFoundError:
        verdict = Verdict.BAD if needed else Verdict.MISSING
        return Finding(verdict, name, f"not installed: pip install {name}")


def _litellm() -> Finding:
    finding = _package("litellm", needed=True)
    if finding.description.startswith(MALICIOUS):
        warning = f"{finding.description} is a release that stole credentials: replace it now, "
        return Finding(Verdict.BAD, "litellm", warning + "and change every key on this machine")
    return finding


def _local_models(found: Loaded) -> Iterator[Finding]:
    local = [entry.local for entry in found.config.providers.values() if entry.kind == "local"]
    for settings in local:
        try:
            weights = find_weights(settings.model_path)
        except GatewayError as error:
            yield Finding(Verdict.BAD, "local model", error.message)
            continue
        megabytes = weights.path.stat().st_size / 1e6
        yield Finding(Verdict.GOOD, "local model", f"{weights.path.name}, {megabytes:.0f} MB")
    if local and sys.platform == "linux" and find_library("gomp") is None:
        advice = "not found, the local model needs it: install libgomp1 (Debian) or libgomp"
        yield Finding(Verdict.BAD, "libgomp", advice)


def _keys(found: Loaded) -> Iterator[Finding]:
    taken = {origin.variable for origin in found.origins.values() if origin.variable}
    for known in KNOWN:
        variables = [name for setting in known.settings for name in setting.variables]
        used = [name for name in variables if name in taken]
        if used:
            yield Finding(Verdict.GOOD, known.name, f"found {', '.join(used)}")
    for name, entry in found.config.providers.items():
        if entry.api_key is not None and entry.api_key.reference.removeprefix("env:") not in taken:
            yield Finding(Verdict.GOOD, name, f"key from {entry.api_key.reference}")
    if all(entry.kind == "local" for entry in found.config.providers.values()):
        advice = "none found; set OPENAI_API_KEY, ANTHROPIC_API_KEY or the like to use more models"
        yield Finding(Verdict.MISSING, "API keys", advice)


def _data_dir(path: Path) -> Finding:
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding(Verdict.GOOD, "data directory", str(path))
    advice = f"{path} cannot be written: mend its permissions, or set data_dir"
    return Finding(Verdict.BAD, "data directory", advice)


def _postgresql(config: Config) -> Finding:
    try:
        version = asyncio.run(schema_version(config))
    except DatabaseDown as error:
        return Finding(Verdict.BAD, "PostgreSQL", f"it does not answer: {error.why}")
    except GatewayError as error:
        return Finding(Verdict.BAD, "PostgreSQL", error.message)
    described = f"its schema is {version}" if version else "empty; a gateway makes its schema"
    return Finding(Verdict.GOOD, "PostgreSQL", described)


def _redis(config: Config) -> Finding:
    """A gateway runs without it, so what is wrong with it is only missing."""
    try:
        version = asyncio.run(redis_version(config, SystemClock()))
    except InternalError as error:
        return Finding(Verdict.BAD, "Redis", error.message)
    except GatewayError as error:
        why = str(error.__cause__ or "") or "it takes too long"
        return Finding(Verdict.MISSING, "Redis", f"not used, because it does not answer: {why}")
    if int(version.partition(".")[0]) < OLDEST_REDIS:
        return Finding(Verdict.BAD, "Redis", f"{version}; {OLDEST_REDIS}.0 or later is needed")
    return Finding(Verdict.GOOD, "Redis", version)


def _address(address: str, subject: str) -> Finding:
    if address.startswith("unix:"):
        directory = Path(address.removeprefix("unix:").removeprefix("//")).absolute().parent
        if os.access(directory, os.W_OK | os.X_OK):
            return Finding(Verdict.GOOD, subject, address)
        return Finding(Verdict.BAD, subject, f"{address}: no socket can be made in {directory}")
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        advice = (
            f"{address}: {error.strerror}. Is a gateway running already? See `interlingua health`"
        )
        return Finding(Verdict.BAD, subject, advice)
    return Finding(Verdict.GOOD, subject, f"{address} is free")
