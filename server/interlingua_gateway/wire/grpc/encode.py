"""Replies of the core into messages of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from interlingua.v1 import content_pb2 as content
from interlingua.v1 import embed_pb2, generate_pb2
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.events import (
    Answer,
    AttemptRecord,
    Candidate,
    Decision,
    Finish,
    TokenLogprob,
    Usage,
    Vector,
)
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reply import Start
from interlingua_gateway.core.types import Media, Reasoning, Text, ToolCall
from interlingua_gateway.wire.grpc import enums
from interlingua_gateway.wire.grpc.status import duration, reason_name

_VALUES_TAG = b"\x12"  # Embedding.values: field 2, length-delimited


class Moment(msgspec.Struct, frozen=True):
    """When a call was accepted and how long it has taken; seconds."""

    accepted_at_s: float
    total_s: float


def generate_response(
    call: Call, start: Start, answer: Answer, moment: Moment
) -> generate_pb2.GenerateResponse:
    """The unary answer."""
    return generate_pb2.GenerateResponse(
        operation_id=call.id,
        answered_by=answered_by(call, start, moment.accepted_at_s),
        candidates=[_candidate(candidate) for candidate in answer.candidates],
        usage=usage(call.usage or Usage(estimated=True)),
        cost=cost(call.cost),
        report=report(call, moment.total_s),
    )


def embed_response(
    call: Call, start: Start, answer: Answer, moment: Moment, *, as_bytes: bool
) -> embed_pb2.EmbedResponse:
    """The vectors, as floats or as bytes; no Python float is made for either."""
    return embed_pb2.EmbedResponse(
        operation_id=call.id,
        answered_by=answered_by(call, start, moment.accepted_at_s),
        embeddings=[_embedding(vector, as_bytes) for vector in answer.vectors],
        usage=usage(call.usage or Usage(estimated=True)),
        cost=cost(call.cost),
        report=report(call, moment.total_s),
    )


def answered_by(call: Call, start: Start, accepted_at_s: float) -> generate_pb2.AnsweredBy:
    """Who answered."""
    return generate_pb2.AnsweredBy(
        model=call.request.model,
        provider=start.provider,
        deployment=start.deployment,
        upstream_model=start.upstream_model,
        upstream_id=start.upstream_id,
        accepted_at=timestamp(accepted_at_s),
    )


def report(call: Call, total_s: float) -> generate_pb2.CallReport:
    """What happened on the way."""
    first = call.first_event_s
    return generate_pb2.CallReport(
        attempts=_attempts(call),
        cache_status=enums.CACHE_STATUSES[call.cache_status],
        dedupe_status=enums.DEDUPE_STATUSES[call.dedupe_status],
        timings=generate_pb2.Timings(
            queue=duration(call.queue_s),
            time_to_first_token=None if first is None else duration(first),
            total=duration(total_s),
        ),
        warnings=[
            generate_pb2.Warning(field=warned.field, description=warned.description)
            for warned in call.warnings
        ],
    )


def _attempts(call: Call) -> list[generate_pb2.Attempt]:
    """All attempts; what the call cost beside those that were paid for is the last one's."""
    attempts = [attempt(record) for record in call.attempts]
    if attempts and call.cost is not None:
        others = sum(record.cost_nano_usd or 0 for record in call.attempts)
        rest = Cost(max(0, call.cost.nano_usd - others), call.cost.estimated)
        attempts[-1].cost.MergeFrom(cost(rest) or generate_pb2.Cost())
    return attempts


def attempt(record: AttemptRecord) -> generate_pb2.Attempt:
    """One attempt."""
    paid, used, decision = record.cost_nano_usd, record.usage, record.decision
    return generate_pb2.Attempt(
        deployment=record.deployment,
        provider=record.provider,
        model=record.model,
        outcome=enums.OUTCOMES[record.outcome],
        error_reason=reason_name(record.reason),
        duration=duration(record.duration_s),
        time_to_first_event=_optional_duration(record.time_to_first_event_s),
        cost=None if paid is None else cost(Cost(paid, used is None or used.estimated)),
        purpose=(
            generate_pb2.ATTEMPT_PURPOSE_CLASSIFY
            if record.classifying
            else generate_pb2.ATTEMPT_PURPOSE_ANSWER
        ),
        decision=None if decision is None else _decision(decision),
    )


def _decision(decision: Decision) -> generate_pb2.RouteDecision:
    return generate_pb2.RouteDecision(
        model=decision.model, route=decision.route, source=enums.DECIDED_BY[decision.by]
    )


def usage(value: Usage) -> generate_pb2.Usage:
    """Tokens."""
    return generate_pb2.Usage(
        input_tokens=value.input_tokens,
        output_tokens=value.output_tokens,
        cached_input_tokens=value.cached_input_tokens,
        cache_write_input_tokens=value.cache_write_input_tokens,
        reasoning_tokens=value.reasoning_tokens,
        audio_input_tokens=value.audio_input_tokens,
        audio_output_tokens=value.audio_output_tokens,
        estimated=value.estimated,
    )


def cost(value: Cost | None) -> generate_pb2.Cost | None:
    """Money; None where the price is unknown."""
    if value is None:
        return None
    return generate_pb2.Cost(cost_nano_usd=value.nano_usd, estimated=value.estimated)


def finish(event: Finish) -> generate_pb2.Finish:
    """Why a candidate ended."""
    return generate_pb2.Finish(
        reason=enums.FINISH_REASONS[event.reason],
        stop_sequence=event.stop_sequence,
        upstream_reason=event.upstream_reason,
    )


def media(value: Media) -> content.Media:
    """Generated media."""
    if value.uri is not None:
        return content.Media(mime_type=value.mime_type, uri=value.uri)
    return content.Media(mime_type=value.mime_type, data=value.data or b"")


def logprobs(tokens: Iterable[TokenLogprob]) -> list[generate_pb2.TokenLogprob]:
    """Log probabilities."""
    return [
        generate_pb2.TokenLogprob(
            token=item.token,
            raw=item.token_bytes,
            logprob=item.logprob,
            top=[
                generate_pb2.TopLogprob(token=top.token, raw=top.token_bytes, logprob=top.logprob)
                for top in item.top
            ],
        )
        for item in tokens
    ]


def timestamp(seconds: float) -> Timestamp:
    """Seconds since the epoch as a protobuf Timestamp, to the microsecond."""
    micros = round(seconds * 1e6)
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1_000)


def _optional_duration(seconds: float | None) -> Duration | None:
    return None if seconds is None else duration(seconds)


def _candidate(candidate: Candidate) -> generate_pb2.Candidate:
    return generate_pb2.Candidate(
        index=candidate.index,
        parts=_parts(candidate.parts),
        finish=finish(candidate.finish),
        logprobs=logprobs(candidate.logprobs),
    )


def _parts(parts: Sequence[Text | Reasoning | ToolCall | Media]) -> list[content.Part]:
    return [_part(part) for part in parts]


def _part(part: Text | Reasoning | ToolCall | Media) -> content.Part:
    if isinstance(part, Text):
        return content.Part(text=part.text)
    if isinstance(part, ToolCall):
        call = content.ToolCall(id=part.id, name=part.name, arguments_json=part.arguments_json)
        return content.Part(tool_call=call)
    if isinstance(part, Reasoning):
        return content.Part(
            reasoning=content.Reasoning(
                text=part.text, signature=part.signature, redacted=part.redacted
            )
        )
    made = media(part)
    return content.Part(image=made) if part.kind == "image" else content.Part(audio=made)


def _embedding(vector: Vector, as_bytes: bool) -> embed_pb2.Embedding:
    if as_bytes:
        return embed_pb2.Embedding(index=vector.index, float32_le=vector.data)
    # Packed floats and bytes look the same on the wire, so the data goes in as it stands.
    embedding = embed_pb2.Embedding(index=vector.index)
    embedding.MergeFromString(_VALUES_TAG + _varint(len(vector.data)) + vector.data)
    return embedding


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
