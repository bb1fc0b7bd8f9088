"""What is done with feedback, beside keeping it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from interlingua_gateway.config.section import Section

_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")


def _entry(value: str) -> str:
    if not _ENTRY.match(value):
        raise ValueError("write module:function, such as our_team.feedback:on_feedback")
    return value


class FeedbackConfig(Section):
    """Feedback is kept with the ledger."""

    processors: tuple[Annotated[str, AfterValidator(_entry)], ...] = ()
    """module:function of Python code of your own, importable where the gateway runs. Each function
    is called with every piece of feedback after it was kept, behind the request; it may be async.
    What it raises is logged."""
