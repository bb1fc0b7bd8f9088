"""Requests of the contract, in one line each."""

from __future__ import annotations

from interlingua.v1 import content_pb2, embed_pb2, generate_pb2


def message(text: str, role: str = "USER") -> content_pb2.Message:
    """A message of one text part."""
    return content_pb2.Message(
        role=content_pb2.Role.Value(f"ROLE_{role}"), parts=[content_pb2.Part(text=text)]
    )


def ask(
    text: str = "hello world", model: str = "", **fields: object
) -> generate_pb2.GenerateRequest:
    """A conversation of one user message; `fields` are further fields of the request."""
    return generate_pb2.GenerateRequest(model=model, messages=[message(text)], **fields)


def embed(*texts: str, model: str = "", **fields: object) -> embed_pb2.EmbedRequest:
    """Texts to embed."""
    inputs = [embed_pb2.EmbedInput(text=text) for text in texts]
    return embed_pb2.EmbedRequest(model=model, inputs=inputs, **fields)
