"""Which text of a message is not UTF-8, found in the bytes themselves."""

from __future__ import annotations

import pytest

from interlingua.v1 import content_pb2, generate_pb2
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.wire.grpc.parse import invalid_text, parse
from tests.support.requests import ask, message

Request = generate_pb2.GenerateRequest
BAD = b"\xc3\x28--"


def broken(request: Request) -> bytes:
    """Its bytes, with `MARK` in it no longer UTF-8."""
    data = request.SerializeToString()
    assert data.count(b"MARK") == 1
    return data.replace(b"MARK", BAD)


PLACES = {
    "model": ask(model="MARK"),
    "messages[1].parts[0].text": Request(messages=[message("a"), message("MARK")]),
    "messages[0].name": Request(messages=[content_pb2.Message(name="MARK")]),
    "tags[2]": ask(tags=["a", "b", "MARK"]),
    "metadata[0].value": ask(metadata={"a": "MARK"}),
    "metadata[0].key": ask(metadata={"MARK": "b"}),
    "tools[0].parameters_json_schema": ask(
        tools=[content_pb2.Tool(name="f", parameters_json_schema="MARK")]
    ),
    "sampling.stop_sequences[0]": ask(
        sampling=generate_pb2.SamplingOptions(top_k=1, logit_bias={1: 2.0}, stop_sequences=["MARK"])
    ),
}


@pytest.mark.parametrize("path", PLACES)
def test_the_path_leads_to_the_text(path):
    with pytest.raises(CallerError) as caught:
        parse(Request, broken(PLACES[path]), 10_000)
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert [v.subject for v in caught.value.violations] == [path]
    assert "UTF-8" in caught.value.message


def test_bytes_fields_may_hold_anything():
    part = content_pb2.Part(image=content_pb2.Media(mime_type="image/png", data=b"\xff\xfe"))
    request = Request(messages=[content_pb2.Message(parts=[part])])
    data = request.SerializeToString()
    assert invalid_text(Request.DESCRIPTOR, memoryview(data)) is None
    assert parse(Request, data, 1000) == request


def test_fields_of_a_newer_contract_are_passed_over():
    unknown = (
        b"\xf8\x3f\x01" + b"\xf9\x3f" + bytes(8) + b"\xfd\x3f" + bytes(4) + b"\xfa\x3f\x01\xff"
    )
    data = unknown + broken(ask(model="MARK"))
    with pytest.raises(CallerError) as caught:
        parse(Request, data, 1000)
    assert caught.value.violations[0].subject == "model"


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x09abc", b"\x0c", b"\xff" * 10_000, b"\x0d\x01"])
def test_what_is_no_message_has_no_path(data):
    with pytest.raises(CallerError) as caught:
        parse(Request, data, 100_000)
    assert caught.value.violations == ()
    assert "interlingua.v1.GenerateRequest" in caught.value.message


def test_the_limit_is_inclusive():
    data = ask().SerializeToString()
    assert parse(Request, data, len(data)) == ask()
    with pytest.raises(CallerError, match=f"at most {len(data) - 1}"):
        parse(Request, data, len(data) - 1)
