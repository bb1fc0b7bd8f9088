"""Bytes of a request into its message, saying which field is at fault when they are not one."""

from __future__ import annotations

from typing import Final, TypeVar, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from interlingua_gateway.core.errors import CallerError, Reason, Violation

M = TypeVar("M", bound=Message)

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_BITS: Final = 64
NESTING_LIMIT: Final = 100
"""Messages within messages that protobuf itself takes."""


def parse(kind: type[M], data: bytes, limit_bytes: int) -> M:
    """The message in `data`.

    Raises:
        CallerError: INVALID_REQUEST; it is larger than `limit_bytes` or no such message. A string
            that is not UTF-8 is named by its path.
    """
    if len(data) > limit_bytes:
        raise CallerError(
            Reason.INVALID_REQUEST,
            f"The request has {len(data)} bytes; at most {limit_bytes} are taken. "
            "Send media by URI, or raise server.max_receive_message_bytes.",
            violations=(Violation("", f"has {len(data)} bytes; at most {limit_bytes} are taken"),),
        )
    try:
        return kind.FromString(data)
    except DecodeError as error:
        path = invalid_text(cast(Descriptor, kind.DESCRIPTOR), memoryview(data))
        if path is None:
            text = f"The request is not a {kind.DESCRIPTOR.full_name} message."
            raise CallerError(Reason.INVALID_REQUEST, text) from error
        raise CallerError.of_field(path, "is not valid UTF-8") from error


def invalid_text(descriptor: Descriptor, data: memoryview, depth: int = 0) -> str | None:
    """Path of the first string field in `data` that is not UTF-8, or None.

    `data` is the wire form of `descriptor`
    (https://protobuf.dev/programming-guides/encoding/); malformed data gives None.
    """
    if depth > NESTING_LIMIT:
        return None
    seen: dict[str, int] = {}
    position = 0
    try:
        while position < len(data):
            key, position = _varint(data, position)
            field = descriptor.fields_by_number.get(key >> 3)
            start, position = _value(data, position, key & 7)
            if field is None or key & 7 != _BYTES:
                continue
            found = _in_field(field, data[start:position], depth)
            if found is not None:
                return _path(field, seen.get(field.name, 0)) + found
            seen[field.name] = seen.get(field.name, 0) + 1
    except (IndexError, ValueError):
        return None
    return None


def _in_field(field: FieldDescriptor, value: memoryview, depth: int) -> str | None:
    """The rest of the path below `field` if its value is at fault: empty for a string itself."""
    if field.message_type is not None:
        inner = invalid_text(field.message_type, value, depth + 1)
        return None if inner is None else f".{inner}"
    if field.type != FieldDescriptor.TYPE_STRING:
        return None
    try:
        str(value, "utf-8")
    except UnicodeDecodeError:
        return ""
    return None


def _path(field: FieldDescriptor, index: int) -> str:
    return f"{field.name}[{index}]" if field.is_repeated else field.name


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    number = shift = 0
    while shift < _VARINT_BITS:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
    raise ValueError("too long a number")


def _value(data: memoryview, position: int, wire_type: int) -> tuple[int, int]:
    """Start and end of the value at `position`."""
    if wire_type == _VARINT:
        return position, _varint(data, position)[1]
    if wire_type == _FIXED64:
        return position, position + 8
    if wire_type == _FIXED32:
        return position, position + 4
    if wire_type == _BYTES:
        length, start = _varint(data, position)
        if start + length > len(data):
            raise ValueError("truncated")
        return start, start + length
    raise ValueError("groups are not used")
