"""What calls return: thin, typed views of the contract's responses, with the response in `raw`."""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from interlingua.errors import InterlinguaError, StreamBrokenError, cut_off, from_status
from interlingua.v1.content_pb2 import Message, Role, ToolCall
from interlingua.v1.embed_pb2 import Embedding, EmbedResponse
from interlingua.v1.generate_pb2 import (
    BatchGenerateResponse,
    Candidate,
    FinishReason,
    GenerateResponse,
    Usage,
    Warning,
)


class _Answer:
    """What the answers of generating and embedding have in common."""

    __slots__ = ()
    raw: GenerateResponse | EmbedResponse

    @property
    def operation_id(self) -> str:
        """The gateway's name for the call; quote it when asking for help."""
        return self.raw.operation_id

    @property
    def model(self) -> str:
        """The alias that was resolved; `raw.answered_by` knows provider and deployment."""
        return self.raw.answered_by.model

    @property
    def usage(self) -> Usage:
        """Tokens of the whole call, with a flag that says whether they are estimated."""
        return self.raw.usage

    @property
    def cost_nano_usd(self) -> int | None:
        """What the call cost in 1e-9 USD; None if the price of the model is unknown."""
        return self.raw.cost.cost_nano_usd if self.raw.HasField("cost") else None

    @property
    def cost_usd(self) -> float | None:
        """What the call cost in USD, rounded to a float; None if the price is unknown."""
        return None if self.cost_nano_usd is None else self.cost_nano_usd / 1e9

    @property
    def warnings(self) -> Sequence[Warning]:
        """What of the request was not honoured, where `unsupported_parameters` is `warn`."""
        return self.raw.report.warnings


@dataclass(frozen=True, slots=True)
class GenerateResult(_Answer):
    """An answer. What is said of one candidate here is said of the first; `candidates` has all."""

    raw: GenerateResponse

    @property
    def candidates(self) -> Sequence[Candidate]:
        """Every answer, by index."""
        return self.raw.candidates

    @property
    def text(self) -> str:
        """The text parts, joined; empty if the model only called tools."""
        return "".join(part.text for part in self._first.parts)

    @property
    def reasoning(self) -> str:
        """What the model shows of its reasoning, joined; empty if nothing."""
        return "".join(part.reasoning.text for part in self._first.parts)

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls that the model wants made."""
        return [part.tool_call for part in self._first.parts if part.HasField("tool_call")]

    @property
    def message(self) -> Message:
        """The answer as a message, to be appended to the conversation when it goes on."""
        return Message(role=Role.ROLE_ASSISTANT, parts=self._first.parts)

    @property
    def finish_reason(self) -> str:
        """Why it ended, in lower case: stop, stop_sequence, length, tool_calls, content_filter,
        refusal, other; or unspecified if it has not ended.
        """
        reason = self._first.finish.reason
        if reason not in FinishReason.values():
            return "other"
        return FinishReason.Name(reason).removeprefix("FINISH_REASON_").lower()

    @property
    def _first(self) -> Candidate:
        return self.raw.candidates[0] if self.raw.candidates else Candidate()


@dataclass(frozen=True, slots=True)
class EmbedResult(_Answer):
    """Vectors, one for each input, in the order of the inputs."""

    raw: EmbedResponse

    @property
    def vectors(self) -> list[list[float]]:
        """The vectors as lists, made anew at each use."""
        return [_floats(embedding).tolist() for embedding in self.raw.embeddings]

    @property
    def buffers(self) -> "list[memoryview[float]]":
        """The vectors as views of single-precision floats, for what takes buffers."""
        return [memoryview(_floats(embedding)) for embedding in self.raw.embeddings]


def batch_results(
    count: int, arrived: Sequence[BatchGenerateResponse], failure: InterlinguaError | None
) -> list[GenerateResult | InterlinguaError]:
    """The results of a batch of `count` requests in the order of the requests.

    A request without a result has `failure`, how the stream of results failed, in its place, or a
    StreamBrokenError if the stream ended well. Raises `failure` if nothing had arrived.
    """
    if failure is not None and not arrived:
        raise failure
    missing = cut_off(failure) if failure is not None else StreamBrokenError("no result was sent")
    results: list[GenerateResult | InterlinguaError] = [missing] * count
    for item in arrived:
        if item.index < count:
            results[item.index] = _item(item)
    return results


def _item(item: BatchGenerateResponse) -> GenerateResult | InterlinguaError:
    if item.WhichOneof("result") == "response":
        return GenerateResult(item.response)
    return from_status(item.error)


def _floats(embedding: Embedding) -> "array[float]":
    if embedding.values:
        return array("f", embedding.values)
    floats = array("f", embedding.float32_le)
    if sys.byteorder == "big":
        floats.byteswap()
    return floats
