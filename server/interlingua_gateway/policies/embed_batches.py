"""Joins small Embed calls to one model, made at nearly the same time, into one upstream call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence

import msgspec

from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.call import Call, Handler, ending_of
from interlingua_gateway.core.clock import Clock, Tasks, Timer
from interlingua_gateway.core.errors import CallerError, GatewayError, Reason, UpstreamError
from interlingua_gateway.core.estimate import input_tokens
from interlingua_gateway.core.events import Answer, AnswerEvent, Usage, UsageUpdate, Vector
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.types import EmbedRequest


class EmbedBatchRule(msgspec.Struct, frozen=True, kw_only=True):
    """How Embed calls to an alias are joined: a call waits at most `max_delay_s` for others, and
    `max_inputs` go into one upstream call."""

    max_delay_s: float
    max_inputs: int


class EmbedBatches:
    """Joins calls that differ in nothing but their inputs; a tenant's calls with its own only.

    Each caller gets its own vectors and its share of the measured tokens, by the estimated length
    of its inputs. When the provider finds fault with a joined request, each call is made on its
    own, so that only the one at fault fails. Whoever leaves hurts nobody; the last one to leave
    ends the upstream.
    """

    def __init__(self, rules: Aliases[EmbedBatchRule], tasks: Tasks, clock: Clock) -> None:
        self._rules = rules
        self._tasks = tasks
        self._clock = clock
        self._gathering: dict[Hashable, _Round] = {}

    @property
    def gathering(self) -> int:
        """Rounds that wait for more calls."""
        return len(self._gathering)

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        request = call.request
        if not isinstance(request, EmbedRequest):
            return await inner(call)
        rule = self._rules.find(request.model)
        if rule is None or len(request.inputs) >= rule.max_inputs:
            return await inner(call)
        joined = self._round(call, request, rule, inner)
        member = _Member(call, request)
        joined.add(member)
        if joined.inputs >= rule.max_inputs:
            joined.send()
        try:
            reply = await member.reply
        except BaseException:
            joined.leave(member)
            raise
        return await inner(call) if reply is None else reply

    def _round(
        self, call: Call, request: EmbedRequest, rule: EmbedBatchRule, inner: Handler
    ) -> _Round:
        """The round that gathers calls like this one and has room for it."""
        key = (
            call.caller,
            call.routing,
            call.priority,
            msgspec.structs.replace(request, inputs=()),
        )
        joined = self._gathering.get(key)
        if joined is not None and joined.inputs + len(request.inputs) > rule.max_inputs:
            joined.send()
            joined = None
        if joined is None:

            def closed() -> None:
                if self._gathering.get(key) is made:
                    del self._gathering[key]

            made = _Round(inner, self._tasks, self._clock, closed)
            made.timer = self._clock.call_at(self._clock.monotonic() + rule.max_delay_s, made.send)
            joined = self._gathering[key] = made
        return joined


class _Member:
    """One call of a round. Its reply is None where it is to go alone."""

    __slots__ = ("call", "reply", "request")

    def __init__(self, call: Call, request: EmbedRequest) -> None:
        self.call = call
        self.request = request
        self.reply: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()


class _Round:
    """Calls that are gathered, sent as one, and answered each with its own."""

    __slots__ = ("_clock", "_closed", "_inner", "_members", "_task", "_tasks", "inputs", "timer")

    def __init__(
        self, inner: Handler, tasks: Tasks, clock: Clock, closed: Callable[[], None]
    ) -> None:
        self.inputs = 0
        self.timer: Timer | None = None
        self._inner = inner
        self._tasks = tasks
        self._clock = clock
        self._closed = closed
        self._members: list[_Member] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, member: _Member) -> None:
        """Take in one more."""
        self._members.append(member)
        self.inputs += len(member.request.inputs)

    def leave(self, member: _Member) -> None:
        """`member` wants no answer any more."""
        if self._task is None:
            self._members.remove(member)
            self.inputs -= len(member.request.inputs)
            if not self._members:
                self._close()
        elif all(other.reply.done() for other in self._members):
            self._task.cancel()

    def send(self) -> None:
        """Gather no more; one call alone goes its own way."""
        self._close()
        if len(self._members) == 1:
            self._alone()
            return
        fork = _joined(self._members)
        self._task = self._tasks.start(self._serve(fork), f"embed-{fork.id}")
        self._task.add_done_callback(lambda task: self._ended(task, fork))

    def _close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self._closed()

    async def _serve(self, fork: Call) -> None:
        reply = await self._inner(fork)
        try:
            answer = await reply.collect()
        finally:
            await reply.aclose()
        if len(answer.vectors) != self.inputs:
            raise UpstreamError(
                Reason.UPSTREAM_INVALID_RESPONSE,
                f"The provider gave {len(answer.vectors)} vectors for {self.inputs} inputs.",
            )
        for member, batch in zip(self._members, _shares(self._members, answer), strict=True):
            self._report(member.call, fork)
            _answer(member, Reply(reply.start, batch))

    def _ended(self, task: asyncio.Task[None], fork: Call) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        fork.end(ending_of(error, self._clock.monotonic() - fork.started))
        if error is None:
            return
        for member in self._members:
            self._report(member.call, fork)
        if isinstance(error, CallerError):
            self._alone()
            return
        for member in self._members:
            if not member.reply.done():
                member.reply.set_exception(_own(error))

    def _alone(self) -> None:
        for member in self._members:
            _answer(member, None)

    def _report(self, call: Call, fork: Call) -> None:
        call.target = fork.target
        call.phase = fork.phase
        call.attempts.extend(fork.attempts)
        call.warnings.extend(fork.warnings)


def _answer(member: _Member, reply: Reply | None) -> None:
    if not member.reply.done():
        member.reply.set_result(reply)


def _joined(members: Sequence[_Member]) -> Call:
    """One call with the inputs of all, until the last of their deadlines."""
    first = members[0]
    inputs = tuple(item for member in members for item in member.request.inputs)
    fork = first.call.fork(msgspec.structs.replace(first.request, inputs=inputs))
    deadlines = [member.call.deadline for member in members]
    known = [deadline for deadline in deadlines if deadline is not None]
    fork.deadline = max(known) if len(known) == len(deadlines) else None
    return fork


def _shares(members: Sequence[_Member], answer: Answer) -> Sequence[tuple[AnswerEvent, ...]]:
    """The events of each member: its vectors, counted from 0, and its share of the usage."""
    weights = [max(1, input_tokens(member.request)) for member in members]
    whole, before, position = sum(weights), 0, 0
    shares: list[tuple[AnswerEvent, ...]] = []
    for member, weight in zip(members, weights, strict=True):
        following = position + len(member.request.inputs)
        mine = answer.vectors[position:following]
        events: list[AnswerEvent] = [Vector(i, vector.data) for i, vector in enumerate(mine)]
        if answer.usage is not None:
            events.append(UsageUpdate(_share(answer.usage, before, before + weight, whole)))
        shares.append(tuple(events))
        before, position = before + weight, following
    return shares


def _share(usage: Usage, start: int, end: int, whole: int) -> Usage:
    """What falls on [start, end) of `whole`; the shares of a whole add up to it exactly."""

    def part(tokens: int) -> int:
        return tokens * end // whole - tokens * start // whole

    return Usage(
        input_tokens=part(usage.input_tokens),
        output_tokens=part(usage.output_tokens),
        cached_input_tokens=part(usage.cached_input_tokens),
        estimated=usage.estimated,
    )


def _own(error: BaseException) -> GatewayError:
    """`error` as an exception of one member's own."""
    if isinstance(error, GatewayError):
        return error.again()
    failure = UpstreamError(
        Reason.UPSTREAM_UNAVAILABLE, "The call was interrupted inside the gateway."
    )
    failure.__cause__ = error
    return failure
