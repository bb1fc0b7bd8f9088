"""What calls return: the core's answer with what became of its call."""

from __future__ import annotations

import functools
import sys
from array import array
from collections.abc import Sequence
from typing import TypedDict

import msgspec

from interlingua_gateway.core.call import CacheStatus, Call, Warned
from interlingua_gateway.core.events import (
    Answer,
    AttemptRecord,
    Candidate,
    Usage,
    Vector,
    added,
)
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reply import Start
from interlingua_gateway.core.types import Media, Message, Reasoning, Role, Text, ToolCall


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers of generating and embedding have in common.

    `model` is the alias that was asked for; `deployment`, `provider` and `upstream_model` answered.
    `cost` is None where the price of the model is not known. `duration_s` is of the whole call.
    """

    operation_id: str
    model: str
    deployment: str
    provider: str
    upstream_model: str
    usage: Usage
    cost: Cost | None
    warnings: tuple[Warned, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()
    cache_status: CacheStatus | None = None
    duration_s: float = 0.0

    @property
    def cost_nano_usd(self) -> int | None:
        """What the call cost in 1e-9 USD; None if the price of the model is unknown."""
        return None if self.cost is None else self.cost.nano_usd

    @property
    def cost_usd(self) -> float | None:
        """What the call cost in USD, rounded to a float; None if the price is unknown."""
        return None if self.cost is None else self.cost.nano_usd / 1e9


class GenerateResult(Result, frozen=True, kw_only=True):
    """An answer. What is said of one candidate here is said of the first; `candidates` has all."""

    candidates: tuple[Candidate, ...]

    @property
    def text(self) -> str:
        """The text parts, joined; empty if the model only called tools."""
        return "".join(part.text for part in self._parts if isinstance(part, Text))

    @property
    def reasoning(self) -> str:
        """What the model shows of its reasoning, joined; empty if nothing."""
        return "".join(part.text for part in self._parts if isinstance(part, Reasoning))

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls that the model wants made."""
        return [part for part in self._parts if isinstance(part, ToolCall)]

    @property
    def message(self) -> Message:
        """The answer as a message, to be appended to the conversation when it goes on."""
        return Message(role=Role.ASSISTANT, parts=tuple(self._parts))

    @property
    def finish_reason(self) -> str:
        """Why it ended: stop, stop_sequence, length, tool_calls, content_filter, refusal, other."""
        return str(self.candidates[0].finish.reason) if self.candidates else "other"

    @property
    def _parts(self) -> Sequence[Text | Reasoning | ToolCall | Media]:
        return self.candidates[0].parts if self.candidates else ()


class EmbedResult(Result, frozen=True, kw_only=True):
    """Vectors, one for each input, in the order of the inputs."""

    embeddings: tuple[Vector, ...]

    @property
    def vectors(self) -> list[list[float]]:
        """The vectors as lists, made anew at each use."""
        return [_floats(vector).tolist() for vector in self.embeddings]

    @property
    def buffers(self) -> list[memoryview[float]]:
        """The vectors as views of single-precision floats, for what takes buffers."""
        return [memoryview(_floats(vector)) for vector in self.embeddings]


class _Facts(TypedDict):
    """The fields of Result."""

    operation_id: str
    model: str
    deployment: str
    provider: str
    upstream_model: str
    usage: Usage
    cost: Cost | None
    warnings: tuple[Warned, ...]
    attempts: tuple[AttemptRecord, ...]
    cache_status: CacheStatus | None
    duration_s: float


def generated(call: Call, start: Start, answer: Answer, duration_s: float) -> GenerateResult:
    """The result of a call that is settled."""
    return GenerateResult(candidates=answer.candidates, **_facts(call, start, duration_s))


def embedded(call: Call, start: Start, answer: Answer, duration_s: float) -> EmbedResult:
    """The result of a call that is settled."""
    return EmbedResult(embeddings=answer.vectors, **_facts(call, start, duration_s))


def joined(results: Sequence[EmbedResult]) -> EmbedResult:
    """One result of several calls for parts of the same inputs, in their order; what only one call
    can have is that of the first."""
    first = results[0]
    if len(results) == 1:
        return first
    costs = [result.cost for result in results if result.cost is not None]
    counted = Cost(sum(cost.nano_usd for cost in costs), any(cost.estimated for cost in costs))
    vectors = [vector.data for result in results for vector in result.embeddings]
    return msgspec.structs.replace(
        first,
        embeddings=tuple(Vector(index, data) for index, data in enumerate(vectors)),
        usage=functools.reduce(added, (result.usage for result in results)),
        cost=counted if len(costs) == len(results) else None,
        warnings=tuple(warned for result in results for warned in result.warnings),
        attempts=tuple(attempt for result in results for attempt in result.attempts),
        duration_s=max(result.duration_s for result in results),
    )


def _facts(call: Call, start: Start, duration_s: float) -> _Facts:
    return _Facts(
        operation_id=call.id,
        model=call.request.model,
        deployment=start.deployment,
        provider=start.provider,
        upstream_model=start.upstream_model or start.model,
        usage=call.usage or Usage(estimated=True),
        cost=call.cost,
        warnings=tuple(call.warnings),
        attempts=tuple(call.attempts),
        cache_status=call.cache_status,
        duration_s=duration_s,
    )


def _floats(vector: Vector) -> array[float]:
    floats = array("f", vector.data)
    if sys.byteorder == "big":
        floats.byteswap()
    return floats
