"""Sampling options of the contract into those of the core."""

from __future__ import annotations

from typing import Final

from interlingua.v1 import generate_pb2
from interlingua_gateway.core.checks import MAX_CANDIDATES, SAMPLING_RANGES, within
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.types import Sampling
from interlingua_gateway.wire.grpc import checks

_NOT_SCALAR: Final = frozenset({"stop_sequences", "logit_bias", "candidate_count"})

_bad = CallerError.of_field


def decode_sampling(pb: generate_pb2.SamplingOptions) -> Sampling:
    """The core's options.

    Raises:
        CallerError: a value is out of its range, or contradicts another.
    """
    given = {field.name: value for field, value in pb.ListFields()}
    scalars = {name: value for name, value in given.items() if name not in _NOT_SCALAR}
    within(scalars, SAMPLING_RANGES, "sampling")
    if "top_logprobs" in scalars and not pb.logprobs:
        raise _bad("sampling.top_logprobs", "needs sampling.logprobs")
    for i, stop in enumerate(pb.stop_sequences):
        if not stop:
            raise _bad(f"sampling.stop_sequences[{i}]", "must not be empty")
    return Sampling(
        **scalars,
        stop=tuple(pb.stop_sequences),
        logit_bias=_logit_bias(pb),
        n=_candidate_count(pb),
    )


def _logit_bias(pb: generate_pb2.SamplingOptions) -> dict[int, float]:
    for token, bias in pb.logit_bias.items():
        if not -100 <= bias <= 100:
            raise _bad(f"sampling.logit_bias[{token}]", "must be from -100 to 100")
    return dict(pb.logit_bias)


def _candidate_count(pb: generate_pb2.SamplingOptions) -> int | None:
    count = checks.positive(pb, "candidate_count", "sampling.candidate_count")
    if count is not None and count > MAX_CANDIDATES:
        raise _bad("sampling.candidate_count", f"must be from 1 to {MAX_CANDIDATES}")
    return count
