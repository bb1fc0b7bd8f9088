"""Replies of the core into messages of the contract.

A message within another is filled where it stands: one that is made first is copied into its place,
which takes as long again as making it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.timestamp_pb2 import Timestamp

from interlingua.v1 import content_pb2 as content
from interlingua.v1 import embed_pb2, generate_pb2
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.events import (
    Answer,
    AttemptRecord,
    Candidate,
    Finish,
    TokenLogprob,
    Usage,
    Vector,
)
from interlingua_gateway.core.prices import Cost
from interlingua_gateway.core.reply import Start
from interlingua_gateway.core.types import Media, Reasoning, Text, ToolCall
from interlingua_gateway.wire.grpc import enums
from interlingua_gateway.wire.grpc.status import fill_duration, reason_name

_VALUES_TAG = b"\x12"  # Embedding.values: field 2, length-delimited

_Accounted: TypeAlias = (
    generate_pb2.GenerateResponse | embed_pb2.EmbedResponse | generate_pb2.StreamCompleted
)


class Moment(msgspec.Struct, frozen=True):
    """When a call was accepted and how long it has taken; seconds."""

    accepted_at_s: float
    total_s: float


def generate_response(
    call: Call, start: Start, answer: Answer, moment: Moment
) -> generate_pb2.GenerateResponse:
    """The unary answer."""
    response = generate_pb2.GenerateResponse(operation_id=call.id)
    fill_answered_by(response.answered_by, call, start, moment.accepted_at_s)
    for candidate in answer.candidates:
        _fill_candidate(response.candidates.add(), candidate)
    _fill_account(response, call, moment.total_s)
    return response


def embed_response(
    call: Call, start: Start, answer: Answer, moment: Moment, *, as_bytes: bool
) -> embed_pb2.EmbedResponse:
    """The vectors, as floats or as bytes; no Python float is made for either."""
    embeddings = [_embedding(vector, as_bytes) for vector in answer.vectors]
    response = embed_pb2.EmbedResponse(operation_id=call.id, embeddings=embeddings)
    fill_answered_by(response.answered_by, call, start, moment.accepted_at_s)
    _fill_account(response, call, moment.total_s)
    return response


def stream_completed(call: Call, total_s: float) -> generate_pb2.StreamGenerateResponse:
    """The last event of a stream."""
    message = generate_pb2.StreamGenerateResponse()
    _fill_account(message.completed, call, total_s)
    return message


def fill_answered_by(
    pb: generate_pb2.AnsweredBy, call: Call, start: Start, accepted_at_s: float
) -> None:
    """Who answered."""
    pb.model = call.request.model
    pb.provider = start.provider
    pb.deployment = start.deployment
    pb.upstream_model = start.upstream_model
    pb.upstream_id = start.upstream_id
    pb.accepted_at.seconds, pb.accepted_at.nanos = _split(accepted_at_s)


def _fill_account(pb: _Accounted, call: Call, total_s: float) -> None:
    """What was used, what it cost and what happened on the way."""
    fill_usage(pb.usage, call.usage or Usage(estimated=True))
    if call.cost is not None:
        fill_cost(pb.cost, call.cost)
    report = pb.report
    _fill_attempts(report.attempts, call)
    report.cache_status = enums.CACHE_STATUSES[call.cache_status]
    report.dedupe_status = enums.DEDUPE_STATUSES[call.dedupe_status]
    timings = report.timings
    fill_duration(timings.queue, call.queue_s)
    if call.first_event_s is not None:
        fill_duration(timings.time_to_first_token, call.first_event_s)
    fill_duration(timings.total, total_s)
    for warned in call.warnings:
        report.warnings.add(field=warned.field, description=warned.description)


def _fill_attempts(pb: RepeatedCompositeFieldContainer[generate_pb2.Attempt], call: Call) -> None:
    """All attempts; what the call cost beside those that were paid for is the last one's."""
    for record in call.attempts:
        fill_attempt(pb.add(), record)
    if call.attempts and call.cost is not None:
        others = sum(record.cost_nano_usd or 0 for record in call.attempts)
        rest = Cost(max(0, call.cost.nano_usd - others), call.cost.estimated)
        last = generate_pb2.Cost()
        fill_cost(last, rest)
        pb[-1].cost.MergeFrom(last)


def fill_attempt(pb: generate_pb2.Attempt, record: AttemptRecord) -> None:
    """One attempt."""
    paid, used, decision = record.cost_nano_usd, record.usage, record.decision
    pb.deployment = record.deployment
    pb.provider = record.provider
    pb.model = record.model
    pb.outcome = enums.OUTCOMES[record.outcome]
    if record.reason:
        pb.error_reason = reason_name(record.reason)
    fill_duration(pb.duration, record.duration_s)
    if record.time_to_first_event_s is not None:
        fill_duration(pb.time_to_first_event, record.time_to_first_event_s)
    if paid is not None:
        fill_cost(pb.cost, Cost(paid, used is None or used.estimated))
    pb.purpose = (
        generate_pb2.ATTEMPT_PURPOSE_CLASSIFY
        if record.classifying
        else generate_pb2.ATTEMPT_PURPOSE_ANSWER
    )
    if decision is not None:
        pb.decision.model = decision.model
        pb.decision.route = decision.route
        pb.decision.source = enums.DECIDED_BY[decision.by]


def attempt(record: AttemptRecord) -> generate_pb2.Attempt:
    """One attempt."""
    pb = generate_pb2.Attempt()
    fill_attempt(pb, record)
    return pb


def fill_usage(pb: generate_pb2.Usage, value: Usage) -> None:
    """Tokens."""
    pb.input_tokens = value.input_tokens
    pb.output_tokens = value.output_tokens
    pb.cached_input_tokens = value.cached_input_tokens
    pb.cache_write_input_tokens = value.cache_write_input_tokens
    pb.reasoning_tokens = value.reasoning_tokens
    pb.audio_input_tokens = value.audio_input_tokens
    pb.audio_output_tokens = value.audio_output_tokens
    pb.estimated = value.estimated


def usage(value: Usage) -> generate_pb2.Usage:
    """Tokens."""
    pb = generate_pb2.Usage()
    fill_usage(pb, value)
    return pb


def fill_cost(pb: generate_pb2.Cost, value: Cost) -> None:
    """Money."""
    pb.cost_nano_usd = value.nano_usd
    pb.estimated = value.estimated


def cost(value: Cost | None) -> generate_pb2.Cost | None:
    """Money; None where the price is unknown."""
    if value is None:
        return None
    pb = generate_pb2.Cost()
    fill_cost(pb, value)
    return pb


def fill_finish(pb: generate_pb2.Finish, event: Finish) -> None:
    """Why a candidate ended."""
    pb.reason = enums.FINISH_REASONS[event.reason]
    pb.stop_sequence = event.stop_sequence
    pb.upstream_reason = event.upstream_reason


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
    whole, nanos = _split(seconds)
    return Timestamp(seconds=whole, nanos=nanos)


def _split(seconds: float) -> tuple[int, int]:
    """Whole seconds and the nanoseconds beside them, to the microsecond."""
    whole, micros = divmod(round(seconds * 1e6), 1_000_000)
    return whole, micros * 1_000


def _fill_candidate(pb: generate_pb2.Candidate, candidate: Candidate) -> None:
    pb.index = candidate.index
    for part in candidate.parts:
        _fill_part(pb.parts.add(), part)
    fill_finish(pb.finish, candidate.finish)
    if candidate.logprobs:
        pb.logprobs.extend(logprobs(candidate.logprobs))


def _fill_part(pb: content.Part, part: Text | Reasoning | ToolCall | Media) -> None:
    if isinstance(part, Text):
        pb.text = part.text
    elif isinstance(part, ToolCall):
        pb.tool_call.id = part.id
        pb.tool_call.name = part.name
        pb.tool_call.arguments_json = part.arguments_json
    elif isinstance(part, Reasoning):
        pb.reasoning.text = part.text
        pb.reasoning.signature = part.signature
        pb.reasoning.redacted = part.redacted
    elif part.kind == "image":
        pb.image.CopyFrom(media(part))
    else:
        pb.audio.CopyFrom(media(part))


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
