"""What people think of answers, and what that adds up to."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from interlingua_gateway.core.reports import Dimension, Interval, Matching, Span

LONGEST_TEXT: Final = 16_384
"""Characters of a correction, an improvement or an error."""


class FeedbackKind(StrEnum):
    """What a piece of feedback says."""

    RATING = "rating"
    USEFUL = "useful"
    CORRECTION = "correction"
    IMPROVEMENT = "improvement"
    ERROR = "error"


class Feedback(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One piece of feedback, as it is spooled. A later version may only add fields at the end, with
    a default.

    `rating` is in [0, 1] and set for ratings; `useful` for usefulness; `text` for the other kinds.
    `operation_id` may be empty, or of an operation that is not this tenant's: it links nothing
    then. `user` is who says it; `query` and `response` are empty where texts are not kept.
    """

    id: str
    given_at_ms: int
    tenant: str
    operation_id: str
    kind: FeedbackKind
    rating: float | None = None
    useful: bool | None = None
    text: str = ""
    user: str = ""
    query: str = ""
    response: str = ""
    metadata: Mapping[str, str] = {}


class InsightsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What feedback given in `span` on matching operations adds up to, in groups and steps: of the
    `max_groups` with most feedback, with the `max_corrections` most frequent ones."""

    span: Span
    matching: Matching = Matching()
    group_by: tuple[Dimension, ...] = ()
    interval: Interval | None = None
    max_groups: int = 1000
    max_corrections: int = 10


class Correction(msgspec.Struct, frozen=True):
    """What an answer should have been, and how often that was said."""

    text: str
    count: int


class Insights(msgspec.Struct, frozen=True, kw_only=True):
    """Sums and means; `average_rating` and `useful_rate` are in [0, 1], None without any."""

    feedback: int = 0
    average_rating: float | None = None
    useful_rate: float | None = None
    corrections: tuple[Correction, ...] = ()
    errors: int = 0
    improvements: int = 0


class InsightsGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Insights of one group in one step: its values in the order of the query's `group_by`."""

    keys: tuple[str, ...]
    start_ms: int
    insights: Insights


class InsightsReport(msgspec.Struct, frozen=True, kw_only=True):
    """`groups` by time, then by how much feedback; `omitted_groups` were too many."""

    total: Insights
    groups: tuple[InsightsGroup, ...] = ()
    omitted_groups: int = 0


class FeedbackReports(Protocol):
    """Reads what feedback adds up to."""

    async def insights(self, query: InsightsQuery) -> InsightsReport:
        """The insights.

        Raises:
            PolicyError: STORE_UNAVAILABLE, the database does not answer.
        """
        ...


class FeedbackBox(Protocol):
    """Takes feedback; it does not wait for any database."""

    def put(self, feedback: Feedback) -> None:
        """Keep `feedback`: when this returns it survives the end of the process.

        Raises:
            CallerError: NOT_IMPLEMENTED, this gateway keeps no ledger.
            PolicyError: STORE_UNAVAILABLE, there is no room for further records.
        """
        ...


class Processor(Protocol):
    """What else is done with feedback, behind the request: a function of the operator's own.

    What it raises is logged and harms nobody; what it returns, if it is awaitable, is awaited.
    """

    def __call__(self, feedback: Feedback) -> object: ...
