"""Sampling options of the contract into those of the core."""

from __future__ import annotations

from interlingua.v1 import generate_pb2
from interlingua_gateway.core.checks import MAX_CANDIDATES, SAMPLING_RANGES, within
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.types import Sampling
from interlingua_gateway.wire.grpc import checks

_bad = CallerError.of_field


def decode_sampling(pb: generate_pb2.SamplingOptions) -> Sampling:
    """The core's options.

    Raises:
        CallerError: a value is out of its range, or contradicts another.
    """
    given = {field.name: value for field, value in pb.ListFields()}
    stop = tuple(given.pop("stop_sequences", ()))
    bias = dict(given.pop("logit_bias", ()))
    given.pop("candidate_count", None)
    within(given, SAMPLING_RANGES, "sampling")
    if "top_logprobs" in given and not pb.logprobs:
        raise _bad("sampling.top_logprobs", "needs sampling.logprobs")
    for i, sequence in enumerate(stop):
        if not sequence:
            raise _bad(f"sampling.stop_sequences[{i}]", "must not be empty")
    for token, value in bias.items():
        if not -100 <= value <= 100:
            raise _bad(f"sampling.logit_bias[{token}]", "must be from -100 to 100")
    return Sampling(**given, stop=stop, logit_bias=bias, n=_candidate_count(pb))


def _candidate_count(pb: generate_pb2.SamplingOptions) -> int | None:
    count = checks.positive(pb, "candidate_count", "sampling.candidate_count")
    if count is not None and count > MAX_CANDIDATES:
        raise _bad("sampling.candidate_count", f"must be from 1 to {MAX_CANDIDATES}")
    return count
