"""Checks of single fields of the contract; each raises CallerError for its field."""

from __future__ import annotations

from interlingua.v1 import embed_pb2, generate_pb2
from interlingua_gateway.core.checks import json_object as json_object
from interlingua_gateway.core.checks import name as name
from interlingua_gateway.core.checks import schema as schema
from interlingua_gateway.core.checks import unique as unique
from interlingua_gateway.core.errors import CallerError


def positive(
    pb: generate_pb2.SamplingOptions | generate_pb2.ReasoningOptions | embed_pb2.EmbedRequest,
    name: str,
    field: str,
) -> int | None:
    """The value of an optional field, or None if it is unset; refuse 0."""
    if not pb.HasField(name):  # type: ignore[arg-type]
        return None
    value: int = getattr(pb, name)
    if value < 1:
        raise CallerError.of_field(field, "must be at least 1")
    return value
