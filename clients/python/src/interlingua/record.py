"""The record of a stream: puts its events together and knows whether the answer is whole."""

import grpc

from interlingua.assembly import CANDIDATE_EVENTS, CandidateBuilder
from interlingua.errors import CallCancelledError, InterlinguaError, StreamBrokenError, cut_off
from interlingua.results import GenerateResult
from interlingua.v1.generate_pb2 import GenerateResponse, StreamCompleted, StreamGenerateResponse


class StreamRecord:
    """What has come of one stream.

    `response` is there only after the `completed` event and an OK status; whatever ends the
    stream otherwise is kept as its failure.
    """

    __slots__ = ("_answer", "_candidates", "_completed", "_ended", "_failure", "_next")

    def __init__(self) -> None:
        self._answer = GenerateResponse()
        self._candidates: dict[int, CandidateBuilder] = {}
        self._next = 0
        self._completed = False
        self._ended = False
        self._failure: InterlinguaError | None = None

    @property
    def response(self) -> GenerateResult:
        """The whole answer. Raises the stream's failure, or RuntimeError if it goes on."""
        self.raise_if_failed()
        if not self._ended:
            raise RuntimeError("the stream goes on: read it to its end first")
        return self.partial()

    def partial(self) -> GenerateResult:
        """The answer as far as it has come; nothing says that it is whole."""
        answer = GenerateResponse()
        answer.CopyFrom(self._answer)
        for _, candidate in sorted(self._candidates.items()):
            answer.candidates.append(candidate.whole())
        return GenerateResult(answer)

    def add(self, event: StreamGenerateResponse) -> None:
        """Takes the next event. Raises StreamBrokenError if one is missing or comes too late."""
        if event.sequence != self._next or self._completed:
            lost = "an event came after the last" if self._completed else "an event was lost"
            raise self.fail(StreamBrokenError(lost, code=grpc.StatusCode.DATA_LOSS))
        self._next += 1
        kind = event.WhichOneof("event")
        if kind in CANDIDATE_EVENTS:
            self._candidate(event.candidate_index).add(kind, event)
        elif kind is not None:
            self._add_to_call(kind, event)

    def end(self) -> None:
        """Notes that the stream ended with status OK. Raises StreamBrokenError if it may not."""
        if not self._completed:
            text = "the stream ended without its last event"
            raise self.fail(StreamBrokenError(text, code=grpc.StatusCode.DATA_LOSS))
        self._ended = True

    def close(self) -> None:
        """Notes that the reader closed the stream, which is a failure unless it has ended."""
        if not self._ended:
            text = "the stream was closed before its end"
            self.fail(CallCancelledError(text, code=grpc.StatusCode.CANCELLED))

    def raise_if_failed(self) -> None:
        """Raises the stream's failure if there is one."""
        if self._failure is not None:
            raise self._failure

    def fail(self, error: InterlinguaError) -> InterlinguaError:
        """Notes that the stream failed, and returns what to raise for it; the first one counts."""
        if self._failure is None:
            self._failure = cut_off(error) if self._next else error
        return self._failure

    def _candidate(self, index: int) -> CandidateBuilder:
        if (candidate := self._candidates.get(index)) is None:
            candidate = self._candidates[index] = CandidateBuilder(index)
        return candidate

    def _add_to_call(self, kind: str, event: StreamGenerateResponse) -> None:
        answer = self._answer
        if kind == "start":
            answer.operation_id = event.start.operation_id
            answer.answered_by.CopyFrom(event.start.answered_by)
        elif kind == "usage":
            answer.usage.CopyFrom(event.usage)
        elif kind == "attempt":
            answer.report.attempts.append(event.attempt)
        elif kind == "completed":
            self._completed = True
            self._complete(event.completed)

    def _complete(self, end: StreamCompleted) -> None:
        self._answer.report.CopyFrom(end.report)
        if end.HasField("usage"):
            self._answer.usage.CopyFrom(end.usage)
        if end.HasField("cost"):
            self._answer.cost.CopyFrom(end.cost)
