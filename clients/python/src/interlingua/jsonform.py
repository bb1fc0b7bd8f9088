"""Messages of the contract as JSON text, in protobuf's own JSON form."""

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message


def to_json(message: Message) -> str:
    """`message` as one line of JSON, with the contract's field names.

    As protobuf's JSON mapping has it, 64-bit integers are strings, bytes are base64 and fields at
    their default are left out.
    """
    return MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False)
