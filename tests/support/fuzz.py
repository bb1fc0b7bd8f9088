"""Hypothesis strategies for any message of the contract, valid on the wire and often nonsense."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

F = FieldDescriptor
TEXTS = st.one_of(
    st.sampled_from(["", "default", "a", "{}", '{"type": "object"}', "image/png", "https://a/b"]),
    st.text(max_size=12),
)
SCALARS = {
    F.TYPE_STRING: TEXTS,
    F.TYPE_BYTES: st.binary(max_size=12),
    F.TYPE_BOOL: st.booleans(),
    F.TYPE_DOUBLE: st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats()),
    F.TYPE_FLOAT: st.floats(width=32),
    F.TYPE_UINT32: st.one_of(st.integers(0, 3), st.sampled_from([2**31, 2**32 - 1])),
    F.TYPE_UINT64: st.integers(0, 2**64 - 1),
    F.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    F.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    F.TYPE_ENUM: st.one_of(st.integers(0, 6), st.sampled_from([-1, 99, 2**31 - 1])),
}
SKIPPED = 0.85
"""Share of the fields that are left unset, so that many messages get far into the gateway."""


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 4) -> Message:
    """Any message of this type."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        wanted = field.name in ("messages", "parts", "text", "role", "inputs", "requests")
        if not wanted and draw(st.floats(0, 1)) < SKIPPED:
            continue
        if field.message_type is not None and depth == 0:
            continue
        _fill(draw, message, field, depth)
    return message


def _fill(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        entries = st.dictionaries(SCALARS[key.type], SCALARS[value.type], max_size=2)
        getattr(message, field.name).update(draw(entries))
    elif field.message_type is not None and field.is_repeated:
        inner = messages(field.message_type, depth - 1)
        getattr(message, field.name).extend(draw(st.lists(inner, max_size=2)))
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(draw(messages(field.message_type, depth - 1)))
    elif field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(SCALARS[field.type], max_size=2)))
    else:
        setattr(message, field.name, draw(SCALARS[field.type]))
