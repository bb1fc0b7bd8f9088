"""Turns litellm's embedding responses into packed vectors."""

from __future__ import annotations

import base64
import binascii
import struct

from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.events import AnswerEvent, UsageUpdate, Vector
from interlingua_gateway.core.types import EmbedRequest
from interlingua_gateway.providers.litellm.events import usage_of
from interlingua_gateway.providers.litellm.fields import field, items, whole
from interlingua_gateway.providers.openai.embeddings import normalized


def vectors_of(response: object, request: EmbedRequest) -> list[AnswerEvent]:
    """The vectors of an embedding response, as little-endian float32 in the order of the inputs.

    Raises:
        UpstreamError: vectors are missing, or are no vectors.
    """
    vectors: list[Vector] = []
    for position, row in enumerate(items(response, "data")):
        index = position if field(row, "index") is None else whole(row, "index")
        packed = _packed(field(row, "embedding"))
        vectors.append(Vector(index, normalized(packed) if request.normalize else packed))
    vectors.sort(key=lambda vector: vector.index)
    if [vector.index for vector in vectors] != list(range(len(request.inputs))):
        raise _invalid("The provider's vectors do not answer the inputs one by one.")
    if len({len(vector.data) for vector in vectors}) > 1:
        raise _invalid("The provider's vectors are of different lengths.")
    events: list[AnswerEvent] = [*vectors]
    if (usage := usage_of(field(response, "usage"))) is not None:
        events.append(UsageUpdate(usage))
    return events


def _packed(values: object) -> bytes:
    try:
        if isinstance(values, str):
            packed = base64.b64decode(values, validate=True)
        else:
            numbers = values if isinstance(values, list) else []
            packed = struct.pack(f"<{len(numbers)}f", *numbers)
    except (binascii.Error, struct.error, OverflowError) as error:
        raise _invalid("The provider sent an embedding that is not one.") from error
    if not packed or len(packed) % 4:
        raise _invalid("The provider sent an embedding that is not one.")
    return packed


def _invalid(message: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, message)
