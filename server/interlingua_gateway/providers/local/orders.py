"""What the supervisor and the model's process say to each other."""

from __future__ import annotations

from typing import TypedDict


class Orders(TypedDict):
    """The one line of JSON that the child reads; the key travels here, not on a command line.

    Token counts are per stream. `chat_template` is a Jinja template, or empty for the one that
    stands in the weights. `threads` are threads of compute.
    """

    weights: str
    alias: str
    api_key: str
    chat_template: str
    streams: int
    context_tokens: int
    embedding_tokens: int
    max_output_tokens: int
    threads: int
    parent_pid: int


class Report(TypedDict):
    """The one line of JSON that the child writes once it answers requests."""

    address: str
