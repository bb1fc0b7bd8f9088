"""Embeddings in the OpenAI dialect."""

from __future__ import annotations

import math
import struct

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.errors import CallerError, Reason, UpstreamError
from interlingua_gateway.core.events import AnswerEvent, UsageUpdate, Vector
from interlingua_gateway.core.types import EmbedRequest
from interlingua_gateway.providers.dialect import Whole
from interlingua_gateway.providers.form import Form
from interlingua_gateway.providers.openai.failures import Failures
from interlingua_gateway.providers.openai.quirks import Quirks
from interlingua_gateway.providers.openai.reading import usage_of
from interlingua_gateway.providers.openai.shapes import EmbeddingsShape

FLOAT_BYTES = 4

_embeddings = msgspec.json.Decoder(EmbeddingsShape).decode


def embed_form(attempt: Attempt, request: EmbedRequest, quirks: Quirks) -> Form:
    """The body for `request`.

    Raises:
        CallerError: something in it cannot be honoured, and the caller is not lenient.
    """
    form = Form(attempt, quirks.lacks)
    texts = [item.text for item in request.inputs if item.text is not None]
    if texts and len(texts) != len(request.inputs):
        raise CallerError.of_field("inputs", "this API takes texts or token ids, not both at once")
    if texts or form.takes("token_input", "inputs"):
        form.body["input"] = texts or [item.tokens for item in request.inputs]
    form.put("dimensions", "dimensions", request.dimensions)
    form.put("task", "task", request.task)
    form.put("user", "user", request.user or None)
    if quirks.base64_embeddings:
        form.body["encoding_format"] = "base64"
    form.merge(request)
    return form


def whole_embeddings(
    attempt: Attempt, request: EmbedRequest, failures: Failures, body: bytes
) -> Whole:
    """One Vector for each input, in their order, and the usage.

    Raises:
        UpstreamError: vectors are missing, or are no vectors.
    """
    try:
        shape = _embeddings(body)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _invalid("The provider sent JSON that is broken or of another shape.") from error
    if shape.failed:
        raise failures.of_answer(attempt, body)
    vectors: list[Vector] = []
    for place, given in enumerate(shape.data or ()):
        data = _packed(given.embedding)
        if request.normalize:
            data = normalized(data)
        vectors.append(Vector(place if given.index is None else given.index, data))
    vectors.sort(key=lambda vector: vector.index)
    if [vector.index for vector in vectors] != list(range(len(request.inputs))):
        raise _invalid("The provider's vectors do not answer the inputs one by one.")
    if len({len(vector.data) for vector in vectors}) > 1:
        raise _invalid("The provider's vectors are of different lengths.")
    events: list[AnswerEvent] = [*vectors]
    if shape.usage is not None:
        events.append(UsageUpdate(usage_of(shape.usage)))
    return Whole(tuple(events), upstream_model=shape.model or "", upstream_id=shape.id or "")


def normalized(data: bytes) -> bytes:
    """A vector of little-endian float32 scaled to length 1; a zero vector stays as it is."""
    form = f"<{len(data) // FLOAT_BYTES}f"
    values = struct.unpack(form, data)
    length = math.hypot(*values)
    return struct.pack(form, *(value / length for value in values)) if length else data


def _packed(embedding: bytes | list[float]) -> bytes:
    if isinstance(embedding, list):
        try:
            embedding = struct.pack(f"<{len(embedding)}f", *embedding)
        except (struct.error, OverflowError) as error:
            raise _invalid("The provider sent a number beyond float32.") from error
    if not embedding or len(embedding) % FLOAT_BYTES:
        raise _invalid("The provider sent a vector that is empty or cut off.")
    return embedding


def _invalid(text: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_INVALID_RESPONSE, text)
