"""What an answer says, in terms that recorded ones and the gateway's can be compared in."""

from __future__ import annotations

import base64
import json
import struct

import msgspec

from interlingua.v1 import embed_pb2, generate_pb2


class Call(msgspec.Struct):
    """A tool call; `id` is None where the provider gives none. Arguments are JSON text."""

    id: str | None = None
    name: str = ""
    arguments: str = ""


class Said(msgspec.Struct):
    """One candidate."""

    text: str = ""
    reasoning: str = ""
    signature: str = ""
    calls: list[Call] = msgspec.field(default_factory=list)
    finish: str = ""


class Tokens(msgspec.Struct):
    """The usage in the contract's terms: cached input is part of input, reasoning of output."""

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


class Answer(msgspec.Struct):
    """What an answer says; `tokens` is None where it does not count them. Vectors are
    little-endian float32."""

    said: dict[int, Said] = msgspec.field(default_factory=dict)
    tokens: Tokens | None = None
    model: str = ""
    id: str = ""
    vectors: list[bytes] = msgspec.field(default_factory=list)

    def at(self, index: int) -> Said:
        return self.said.setdefault(index, Said())


def float32(vector: str | list[float]) -> bytes:
    """A vector, given as numbers or in base64, as little-endian float32."""
    if isinstance(vector, str):
        return base64.b64decode(vector)
    return struct.pack(f"<{len(vector)}f", *vector)


def gateways(response: generate_pb2.GenerateResponse | embed_pb2.EmbedResponse) -> Answer:
    """A whole answer of the gateway in the same terms."""
    answered = response.answered_by
    answer = Answer(model=answered.upstream_model, id=answered.upstream_id)
    answer.tokens = _tokens(response.usage)
    if isinstance(response, embed_pb2.EmbedResponse):
        assert [row.index for row in response.embeddings] == list(range(len(response.embeddings)))
        answer.vectors = [float32(list(row.values)) for row in response.embeddings]
        return answer
    for candidate in response.candidates:
        said = answer.at(candidate.index)
        for part in candidate.parts:
            said.text += part.text
            said.reasoning += part.reasoning.text
            said.signature += part.reasoning.signature.decode()
            if part.HasField("tool_call"):
                call = part.tool_call
                said.calls.append(Call(call.id, call.name, call.arguments_json))
        said.finish = _finish_name(candidate.finish)
    return answer


def gateways_stream(stream: list[generate_pb2.StreamGenerateResponse]) -> Answer:
    """A streamed answer of the gateway in the same terms."""
    assert [event.sequence for event in stream] == list(range(len(stream)))
    kinds = [event.WhichOneof("event") for event in stream]
    assert (kinds[0], kinds[-1]) == ("start", "completed")
    answered = stream[0].start.answered_by
    answer = Answer(model=answered.upstream_model, id=answered.upstream_id)
    for event in stream:
        if event.WhichOneof("event") not in ("start", "usage", "completed"):
            _add(answer.at(event.candidate_index), event)
    answer.tokens = _tokens(stream[-1].completed.usage)
    return answer


def _add(said: Said, event: generate_pb2.StreamGenerateResponse) -> None:
    said.text += event.text_delta
    said.reasoning += event.reasoning_delta.text
    said.signature += event.reasoning_delta.signature.decode()
    if event.HasField("tool_call_delta"):
        delta = event.tool_call_delta
        if delta.call_index == len(said.calls):
            said.calls.append(Call(delta.id, delta.name))
        said.calls[delta.call_index].arguments += delta.arguments_json_fragment
    if event.HasField("finish"):
        assert not said.finish
        said.finish = _finish_name(event.finish)


def _finish_name(given: generate_pb2.Finish) -> str:
    name = generate_pb2.FinishReason.Name(given.reason).removeprefix("FINISH_REASON_")
    return f"{name}:{given.upstream_reason}" if given.upstream_reason else name


def _tokens(usage: generate_pb2.Usage) -> Tokens | None:
    """The usage, or None where the gateway only estimates it."""
    if usage.estimated:
        return None
    return Tokens(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cached=usage.cached_input_tokens,
        cache_write=usage.cache_write_input_tokens,
        reasoning=usage.reasoning_tokens,
    )


def differences(expected: Answer, seen: Answer) -> list[str]:
    """Every field in which the two are not the same. Arguments are compared as JSON values where a
    provider sends them as such, and an id only where it gives one."""
    found = []
    for name in ("model", "id", "tokens", "vectors"):
        _compare(found, name, getattr(expected, name), getattr(seen, name))
    _compare(found, "candidates", sorted(expected.said), sorted(seen.said))
    for index in expected.said.keys() & seen.said.keys():
        left, right = expected.said[index], seen.said[index]
        for name in ("text", "reasoning", "signature", "finish"):
            _compare(found, f"[{index}].{name}", getattr(left, name), getattr(right, name))
        _compare(found, f"[{index}].calls", len(left.calls), len(right.calls))
        for wanted, got in zip(left.calls, right.calls, strict=False):
            if wanted.id is not None or not got.id:
                _compare(found, f"[{index}].call.id", wanted.id, got.id)
            _compare(found, f"[{index}].call.name", wanted.name, got.name)
            if json.loads(wanted.arguments or "{}") != json.loads(got.arguments or "{}"):
                _compare(found, f"[{index}].call.arguments", wanted.arguments, got.arguments)
    return found


def _compare(found: list[str], name: str, expected: object, seen: object) -> None:
    if expected != seen:
        found.append(f"{name}: recorded {str(expected)[:300]!r}, got {str(seen)[:300]!r}")
