"""Sampling options of the contract into those of the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from interlingua.v1 import generate_pb2
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.types import Sampling
from interlingua_gateway.wire.grpc import checks

MAX_CANDIDATES: Final = 128
MAX_TOP_LOGPROBS: Final = 20

_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "top_k": (1, 2**31 - 1),
    "min_p": (0, 1),
    "max_output_tokens": (1, 2**31 - 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "top_logprobs": (0, MAX_TOP_LOGPROBS),
}
_NOT_SCALAR: Final = frozenset({"stop_sequences", "logit_bias", "candidate_count"})

_bad = CallerError.of_field


def decode_sampling(pb: generate_pb2.SamplingOptions) -> Sampling:
    """The core's options.

    Raises:
        CallerError: a value is out of its range, or contradicts another.
    """
    given = {field.name: value for field, value in pb.ListFields()}
    scalars = {name: value for name, value in given.items() if name not in _NOT_SCALAR}
    for name, (low, high) in _RANGES.items():
        if name in scalars and not low <= scalars[name] <= high:
            raise _bad(f"sampling.{name}", f"must be from {low} to {high}")
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
