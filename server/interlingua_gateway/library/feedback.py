"""What people think of answers: taken from the program, and what it adds up to."""

from __future__ import annotations

import math
from collections.abc import Mapping

from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.feedback import LONGEST_TEXT, Feedback, FeedbackKind
from interlingua_gateway.core.ids import feedback_id
from interlingua_gateway.library.host import Host
from interlingua_gateway.library.reports import LearningInsights, Views

FeedbackType = FeedbackKind
"""RATING, USEFUL, CORRECTION, IMPROVEMENT or ERROR."""

_bad = CallerError.of_field


class FeedbackLoop:
    """`Gateway.feedback_loop`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._views = Views(host.engine, host.clock)

    def get_learning_insights(
        self, tenant_id: str | None = None, time_range_hours: float = 24
    ) -> LearningInsights:
        """What feedback adds up to, of one tenant or of all; blocks.

        Raises:
            PolicyError: STORE_UNAVAILABLE, the database does not answer.
        """
        return self._host.wait(self._views.insights(tenant_id, time_range_hours))

    async def get_learning_insights_async(
        self, tenant_id: str | None = None, time_range_hours: float = 24
    ) -> LearningInsights:
        """The same, awaited."""
        return await self._host.finish(self._views.insights(tenant_id, time_range_hours))


def feedback_of(
    host: Host,
    query: str,
    response: str,
    kind: FeedbackKind,
    content: object,
    *,
    tenant_id: str,
    operation_id: str,
    user: str,
    scale: float,
    metadata: Mapping[str, str],
) -> Feedback:
    """One piece of feedback.

    Raises:
        CallerError: INVALID_REQUEST naming what is wrong.
    """
    if not (operation_id or query or response):
        raise _bad("operation_id", "must be set, or query and response must say what it is about")
    name = feedback_id(host.clock)
    return Feedback(
        id=name,
        given_at_ms=int(name[3:14], 16),
        tenant=tenant_id,
        operation_id=operation_id,
        kind=kind,
        rating=_rating(content, scale) if kind is FeedbackKind.RATING else None,
        useful=_useful(content) if kind is FeedbackKind.USEFUL else None,
        text=_text(kind, content) if kind not in (FeedbackKind.RATING, FeedbackKind.USEFUL) else "",
        user=user,
        query=query,
        response=response,
        metadata=dict(metadata),
    )


def _rating(content: object, scale: float) -> float:
    """The grade, scaled to [0, 1]."""
    if not (math.isfinite(scale) and scale > 0):
        raise _bad("scale", "must be a number above 0")
    is_number = isinstance(content, int | float) and not isinstance(content, bool)
    if not is_number or not isinstance(content, int | float) or not 0 <= content <= scale:
        raise _bad("content", f"must be a number from 0 to {scale:g} for a rating")
    return content / scale


def _useful(content: object) -> bool:
    if not isinstance(content, bool):
        raise _bad("content", "must be True or False for usefulness")
    return content


def _text(kind: FeedbackKind, content: object) -> str:
    text = content.strip() if isinstance(content, str) else ""
    if not 0 < len(text) <= LONGEST_TEXT:
        raise _bad("content", f"must be a text of 1 to {LONGEST_TEXT} characters for kind `{kind}`")
    return text
