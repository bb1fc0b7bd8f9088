"""What is recorded of calls, and for how long it is kept."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from interlingua_gateway.config.fields import Count, Seconds
from interlingua_gateway.config.section import Section, absent

GIBIBYTE = 1024 * 1024 * 1024

Bytes = Annotated[int, Field(ge=1024 * 1024, le=1024 * GIBIBYTE)]
Days = Annotated[int, Field(ge=1, le=36_500)]


def _expression(value: str) -> str:
    try:
        compiled = re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if compiled.match(""):
        raise ValueError("it matches everywhere; write what is to be masked")
    return value


class TextsConfig(Section):
    """What of prompts and answers is kept, for inspection. Secrets and personal data are masked
    before anything is written."""

    keep: Literal["none", "redacted"] = "none"
    """redacted keeps what was asked and answered, with keys of providers, e-mail addresses, and
    numbers of cards, accounts and telephones masked."""
    mask: tuple[Annotated[str, AfterValidator(_expression)], ...] = ()
    """Regular expressions (Python's) of what else is masked."""
    max_characters: Count = 16_384
    """Longer texts are cut."""


class LedgerConfig(Section):
    """One row for each operation, in the database; no call waits for that. Until it is there, it
    lies in the folder `spool` of data_dir, and survives the end of the process."""

    enabled: bool = True
    """Record operations at all. Without it there are no reports and no budgets."""
    flush_interval_s: Seconds = 1
    """Seconds for which records are gathered before they are written into the database."""
    spool_max_bytes: Bytes = GIBIBYTE
    """Bytes that may wait for the database; an operation takes about 500."""
    when_full: Literal["refuse", "lose"] = "refuse"
    """What happens when the spool is full: refuse calls before they reach a model, or serve them
    and lose their records (counted and logged)."""
    retention_days: Days | None = 90
    """Days for which operations and totals by hour are kept; null keeps them for ever."""
    totals_retention_days: Days | None = 1100
    """Days for which totals by day are kept; null keeps them for ever."""
    texts: TextsConfig = Field(default_factory=absent)
    """Prompts and answers."""
