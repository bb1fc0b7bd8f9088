"""The parser of server-sent events, with every way of cutting the bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlingua_gateway.providers import sse
from interlingua_gateway.providers.sse import EventTooLarge, SseParser

STREAM = (
    '\ufeff: a comment\n\ndata: {"a": 1}\n\nevent: x\nid: 7\nretry: 3\ndata: äöü 🦉\n\n'
    "data:no space\n\ndata: one\ndata:  two\n\n\n\nignored: x\n\n: only a comment\n\ndata\n\n"
    "data: [DONE]\n\n"
).encode()
EVENTS = [
    b'{"a": 1}',
    "äöü 🦉".encode(),
    b"no space",
    b"one\n two",
    b"",
    b"[DONE]",
]


def parse(pieces: list[bytes]) -> list[bytes]:
    parser = SseParser()
    found = [event for piece in pieces for event in parser.feed(piece)]
    return found + parser.end()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(
    places=st.lists(st.integers(0, 10_000), max_size=30),
    ending=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_any_cut_and_any_line_end_give_the_same_events(places: list[int], ending: bytes) -> None:
    assert parse(cut(STREAM.replace(b"\n", ending), places)) == EVENTS


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_byte_by_byte(ending: bytes) -> None:
    data = STREAM.replace(b"\n", ending)
    assert parse([data[at : at + 1] for at in range(len(data))]) == EVENTS


def test_event_comes_with_its_empty_line_and_not_later() -> None:
    for ending in (b"\n", b"\r\n", b"\r"):
        parser = SseParser()
        assert parser.feed(b"data: x" + ending) == []
        assert parser.feed(ending) == [b"x"]


def test_last_event_without_an_empty_line() -> None:
    assert parse([b"data: x\n\ndata: [DO", b"NE]"]) == [b"x", b"[DONE]"]


def test_event_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    parser = SseParser()
    for _ in range(90):
        assert parser.feed(b"data: xxxxx") == []
    with pytest.raises(EventTooLarge):
        parser.feed(b"data: xxxxx")
    with pytest.raises(EventTooLarge):
        SseParser().feed(b"data: x\n" * 200)
