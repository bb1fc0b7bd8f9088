"""Splits a stream of server-sent events into the data of its events."""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"
MAX_EVENT_BYTES = 32 * 1024 * 1024


class EventTooLarge(Exception):
    """One event is larger than MAX_EVENT_BYTES."""


class SseParser:
    """Follows the event stream format of the HTML standard (section 9.2.6).

    Comments and the fields `event`, `id` and `retry` are left out: the dialects that use this
    carry the kind of an event in its data.
    """

    __slots__ = ("_begun", "_pending", "_pending_bytes", "_skip_lf")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._begun = False
        self._skip_lf = False

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that `data` completes.

        Raises:
            EventTooLarge: an event does not end.
        """
        if data and (self._skip_lf or b"\r" in data):
            data = self._lines(data)
        if self._pending_bytes or data[-2:] != b"\n\n":
            return self._in_pieces(data)
        blocks = data.split(b"\n\n")  # a read that holds whole events, as nearly all do
        blocks.pop()
        return self._data_of(blocks)

    def _in_pieces(self, data: bytes) -> list[bytes]:
        """The data of each event that `data` completes; what it begins is kept for later."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > MAX_EVENT_BYTES:
            raise EventTooLarge
        if b"\n" not in data:
            return []
        blocks = b"".join(self._pending).split(b"\n\n")
        rest = blocks.pop()
        self._pending = [rest]
        self._pending_bytes = len(rest)
        return self._data_of(blocks)

    def end(self) -> list[bytes]:
        """The data of a last event that no empty line has closed, if there is one."""
        blocks, self._pending = [b"".join(self._pending)], []
        return self._data_of(blocks)

    def _lines(self, data: bytes) -> bytes:
        """`data` with every line end as a single line feed, also one split between two reads."""
        if self._skip_lf and data[:1] == b"\n":
            data = data[1:]
        self._skip_lf = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _data_of(self, blocks: list[bytes]) -> list[bytes]:
        found: list[bytes] = []
        for block in blocks:
            if block[:6] == b"data: " and b"\n" not in block:
                found.append(block[6:])
            elif block:
                data = self._several_lines(block)
                if data is not None:
                    found.append(data)
        self._begun = self._begun or bool(blocks)
        return found

    def _several_lines(self, block: bytes) -> bytes | None:
        if not self._begun:
            block = block.removeprefix(BOM)
        data: list[bytes] = []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
        return b"\n".join(data) if data else None
