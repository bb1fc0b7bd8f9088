"""Feedback: into the journal, to the processors of the configuration, and back as insights."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

import msgspec

from interlingua_gateway.app.database import Databases
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import CallerError, InternalError, Reason
from interlingua_gateway.core.feedback import (
    Feedback,
    FeedbackReports,
    InsightsQuery,
    InsightsReport,
    Processor,
)
from interlingua_gateway.core.ledger import Journal, RecordKind

if TYPE_CHECKING:
    from interlingua_gateway.store.sql.feedback import FeedbackInsights

MAX_WAITING: Final = 1000

log = logging.getLogger("interlingua.feedback")


class Processing:
    """Calls processors with each piece of feedback, one after the other, behind the requests.

    At most `MAX_WAITING` pieces wait; further ones are kept all the same, but not processed.
    """

    def __init__(self, processors: Sequence[Processor]) -> None:
        self._processors = tuple(processors)
        self._tasks = Tasks()
        self._waiting: deque[Feedback] = deque()

    def take(self, feedback: Feedback) -> None:
        """Process `feedback` soon."""
        if not self._processors:
            return
        if len(self._waiting) >= MAX_WAITING:
            log.warning("feedback is not processed: too much waits", extra=_fields(feedback.id))
            return
        self._waiting.append(feedback)
        if not len(self._tasks):
            self._tasks.start(self._run(), "feedback")

    async def done(self) -> None:
        """Wait until nothing waits any more."""
        await self._tasks.joined()

    async def aclose(self) -> None:
        """Stop; what waits is not processed."""
        await self._tasks.aclose()

    async def _run(self) -> None:
        while self._waiting:
            feedback = self._waiting.popleft()
            for processor in self._processors:
                await _call(processor, feedback)


async def _call(processor: Processor, feedback: Feedback) -> None:
    """What is not async runs in a thread: it may block."""
    try:
        if inspect.iscoroutinefunction(processor):
            await processor(feedback)
        else:
            result = await asyncio.to_thread(processor, feedback)
            if inspect.isawaitable(result):
                await result
    except Exception:  # somebody else's code: it must harm nobody
        log.exception("a processor of feedback failed", extra=_fields(feedback.id))


class Box:
    """The port FeedbackBox on the journal; `journal` is None where nothing is recorded. With
    `mask` what was asked and answered is kept too, masked."""

    def __init__(
        self,
        journal: Journal | None,
        processing: Processing,
        mask: Callable[[str], str] | None,
    ) -> None:
        self._journal = journal
        self._processing = processing
        self._mask = mask
        self._encoder = msgspec.msgpack.Encoder()

    def put(self, feedback: Feedback) -> None:
        """See FeedbackBox."""
        if self._journal is None:
            raise CallerError(
                Reason.NOT_IMPLEMENTED,
                "This gateway keeps no feedback: ledger.enabled is false.",
            )
        self._journal.check()
        mask = self._mask or _nothing
        feedback = msgspec.structs.replace(
            feedback, query=mask(feedback.query), response=mask(feedback.response)
        )
        self._journal.append(RecordKind.FEEDBACK, self._encoder.encode(feedback))
        self._processing.take(feedback)


class LazyInsights:
    """The port FeedbackReports, opened at the first question. `settled` brings what this process
    has just recorded into the database, if that takes it."""

    def __init__(self, databases: Databases, settled: Callable[[], Awaitable[None]]) -> None:
        self._databases = databases
        self._settled = settled
        self._insights: FeedbackInsights | None = None

    async def insights(self, query: InsightsQuery) -> InsightsReport:
        """See FeedbackReports."""
        await self._settled()
        return await (await self._opened()).insights(query)

    async def _opened(self) -> FeedbackReports:
        if self._insights is None:
            module = await self._databases.module("feedback")
            database = await self._databases.open()
            self._insights = cast("FeedbackInsights", module.FeedbackInsights(database))
        return self._insights


def processors(names: Sequence[str]) -> list[Processor]:
    """The functions that `names` (module:function) stand for.

    Raises:
        InternalError: one cannot be imported.
    """
    found = []
    for name in names:
        module, _, function = name.partition(":")
        try:
            found.append(cast("Processor", getattr(import_module(module), function)))
        except (ImportError, AttributeError) as error:
            raise InternalError(
                f"feedback.processors: {name} cannot be imported ({error}). Install the module "
                "where the gateway runs, or set PYTHONPATH."
            ) from error
    return found


def _nothing(_: str) -> str:
    return ""


def _fields(feedback_id: str) -> dict[str, object]:
    return {"fields": {"feedback_id": feedback_id}}
