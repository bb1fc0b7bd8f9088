"""Cuts Amazon's binary event stream into the JSON texts of its messages.

A message is its length and that of its headers (4 bytes each), a checksum, the headers, the
payload and a checksum (Amazon's "event stream encoding"). The payload is JSON; where it is
`{"bytes": ...}`, what the model itself said stands there in base64.
"""

from __future__ import annotations

import binascii

import msgspec

_PRELUDE = 12
_CHECKSUM = 4
_LARGEST = 32 * 1024 * 1024


class _Payload(msgspec.Struct):
    """`wrapped` is base64 of a model's own JSON."""

    wrapped: bytes | None = msgspec.field(default=None, name="bytes")


def payloads(data: bytes) -> tuple[list[bytes], bytes]:
    """The JSON texts of the whole messages that `data` begins with, and the rest of it.

    Raises:
        ValueError: it is no event stream.
    """
    texts: list[bytes] = []
    while len(data) >= _PRELUDE:
        total = int.from_bytes(data[:4], "big")
        start = _PRELUDE + int.from_bytes(data[4:8], "big")
        if not start + _CHECKSUM <= total <= _LARGEST:
            raise ValueError("a message of impossible length")
        if binascii.crc32(data[:8]) != int.from_bytes(data[8:_PRELUDE], "big"):
            raise ValueError("a message whose checksum is wrong")
        if len(data) < total:
            break
        text = data[start : total - _CHECKSUM]
        wrapped = msgspec.json.decode(text, type=_Payload).wrapped if text else None
        texts.append(text if wrapped is None else wrapped)
        data = data[total:]
    return [text for text in texts if text], data
