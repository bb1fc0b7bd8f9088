"""Lets another target go on with a stream that broke, where the caller allowed it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol

import msgspec

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.errors import GatewayError, Reason, UpstreamError
from interlingua_gateway.core.estimate import input_tokens, text_tokens
from interlingua_gateway.core.events import (
    AttemptMade,
    Batch,
    Finish,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageUpdate,
)
from interlingua_gateway.core.reply import Reply, Source
from interlingua_gateway.core.types import (
    FormatKind,
    GenerateRequest,
    Message,
    Request,
    Role,
    Text,
)
from interlingua_gateway.route.attempts import Opened
from interlingua_gateway.route.record import charged

GO_ON: Final = (
    "Your answer was cut off. Go on exactly where it ended, without repeating anything of it, "
    "without an introduction and without mentioning the interruption."
)


class Serve(Protocol):
    """Finds a target that answers, other than the deployments in `but`."""

    def __call__(self, request: Request, but: frozenset[str]) -> Awaitable[Opened]: ...


def can_continue(call: Call, reply: Reply) -> bool:
    """Whether the answer is one that another model can go on with: the caller allowed it, and it is
    one text, of no given form, that is still under way."""
    request = call.request
    allowed = call.routing.continue_broken_stream and reply.source is not None
    if not allowed:
        return False
    if not isinstance(request, GenerateRequest) or (request.sampling.n or 1) > 1:
        return False
    form = request.response_format
    return form is None or form.kind is FormatKind.TEXT


class Continuation:
    """A source: the events of one target, and when it breaks those of another.

    A broken attempt keeps what it used in its record, and the stream tells of it by AttemptMade:
    the one that broke, and the one that took over.
    """

    def __init__(self, call: Call, reply: Reply, opened: Opened, serve: Serve) -> None:
        assert reply.source is not None
        self._call = call
        self._serve = serve
        self._opened = opened
        self._source: Source = reply.source
        self._text = ""
        self._begins_at = 0
        self._usage: Usage | None = None
        self._only_text = True
        self._broken: frozenset[str] = frozenset()
        reply.tap(self._note)

    async def next(self) -> Batch | None:
        """The next batch; see core.reply.Source."""
        try:
            return await self._source.next()
        except UpstreamError as error:
            if error.reason is not Reason.STREAM_BROKEN or not self._only_text:
                raise
            return await self._take_over(error)

    async def aclose(self) -> None:
        """End the upstream; see core.reply.Source."""
        await self._source.aclose()

    def _note(self, batch: Batch) -> None:
        for event in batch:
            if isinstance(event, TextDelta):
                self._text += event.text
            elif isinstance(event, UsageUpdate):
                self._usage = event.usage
            elif isinstance(event, ToolCallDelta | Finish):
                self._only_text = False

    async def _take_over(self, broken: UpstreamError) -> Batch:
        """The announcement of the target that goes on.

        Raises:
            UpstreamError: `broken`, if none does.
        """
        await self._source.aclose()
        attempts = self._call.attempts
        place = len(attempts) - 1
        self._broken |= {self._opened.target.deployment}
        try:
            opened = await self._serve(self._rest(), self._broken)
        except GatewayError as error:
            raise broken from error
        ended = charged(attempts[place], self._used(), self._opened.target)
        attempts[place] = ended
        self._opened = opened
        self._source = opened.accept()
        self._begins_at = len(self._text)
        self._usage = None
        return AttemptMade(ended), AttemptMade(opened.record.so_far())

    def _rest(self) -> GenerateRequest:
        """The request for what is missing."""
        request = self._call.request
        assert isinstance(request, GenerateRequest)
        if not self._text:
            return request
        said = Message(role=Role.ASSISTANT, parts=(Text(text=self._text),))
        order = Message(role=Role.USER, parts=(Text(text=GO_ON),))
        sampling = request.sampling
        if sampling.max_output_tokens is not None:
            left = max(1, sampling.max_output_tokens - text_tokens(self._text))
            sampling = msgspec.structs.replace(sampling, max_output_tokens=left)
        return msgspec.structs.replace(
            request, messages=(*request.messages, said, order), sampling=sampling
        )

    def _used(self) -> Usage:
        """What the broken attempt used: as far as it was measured, else estimated."""
        usage = self._usage or Usage(input_tokens=input_tokens(self._call.request))
        output = max(usage.output_tokens, text_tokens(self._text[self._begins_at :]))
        return msgspec.structs.replace(usage, output_tokens=output, estimated=True)
