"""`interlingua migrate`: bring the schema of the database up to date before gateways start."""

from __future__ import annotations

import asyncio
from pathlib import Path

from interlingua_gateway.app.database import migrate
from interlingua_gateway.cli.configuration import loaded
from interlingua_gateway.cli.failure import CommandError
from interlingua_gateway.cli.text import write
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.store.sql.failures import DatabaseDown


def run(file: Path | None) -> None:
    """Write the versions before and after.

    Raises:
        CommandError: the database does not answer, or refused a step.
    """
    config = loaded(file).config
    try:
        before, after = asyncio.run(migrate(config))
    except DatabaseDown as error:
        raise CommandError(
            f"The database does not answer: {error.why}",
            advice="Look at the section database; `interlingua doctor` tries it too.",
        ) from None
    except GatewayError as error:
        raise CommandError(
            error.message,
            advice="Look at the section database; gateways migrate by themselves too.",
        ) from None
    came = f"from {before or 'nothing'} to {after}" if before != after else f"at {after} already"
    write(f"{came}\n")
