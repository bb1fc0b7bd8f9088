"""A provider of the OpenAI dialect over replayed bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import GenerateRequest, Message, Request, Role, Text
from interlingua_gateway.providers.http import HttpProvider
from interlingua_gateway.providers.registry import BY_NAME, openai_dialect
from interlingua_gateway.providers.transport.replay import Replayed, ReplayTransport
from tests.support.manual_clock import ManualClock

KEY = "sk-canary-1234567890"
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream; charset=utf-8"}


def user(text: str = "Hi") -> Message:
    return Message(role=Role.USER, parts=(Text(text=text),))


def ask(**fields: object) -> GenerateRequest:
    fields.setdefault("messages", (user(),))
    return GenerateRequest(model="alias", **fields)  # type: ignore[arg-type]


def attempt(
    request: Request, *, streaming: bool = False, lenient: bool = False, provider: str = "openai"
) -> Attempt:
    target = Target(deployment="d", provider=provider, model="gpt-x", label="d")
    return Attempt(request, target, streaming=streaming, lenient=lenient)


class Bench:
    """A provider of the registry's row `name` that is answered with `responses` in turn."""

    def __init__(self, *responses: Replayed, name: str = "openai", **account: str) -> None:
        self.transport = ReplayTransport(responses)
        self.responses = responses
        redactor, clock = Redactor((KEY,)), ManualClock()
        if not BY_NAME[name].base_url:
            account.setdefault("base_url", "https://account.example")
        self.dialect = openai_dialect(
            BY_NAME[name], redactor=redactor, clock=clock, api_key=KEY, **account
        )
        self.provider = HttpProvider(name, self.dialect, self.transport, redactor=redactor)

    def sent(self) -> dict[str, object]:
        """The JSON body of the last request."""
        body: dict[str, object] = msgspec.json.decode(self.transport.requests[-1].body)
        return body


def body_of(
    request: Request, *, name: str = "openai", streaming: bool = False
) -> dict[str, object]:
    """The JSON body that `request` becomes for the registry's row `name`."""
    made = Bench(name=name).dialect.request(attempt(request, streaming=streaming, provider=name))
    body: dict[str, object] = msgspec.json.decode(made.body)
    return body


def whole(value: object, status: int = 200, headers: Mapping[str, str] = JSON) -> Replayed:
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return Replayed(status, headers, (body,))


def stream(*pieces: bytes, broken: bool = False) -> Replayed:
    return Replayed(200, SSE, pieces, broken=broken)


def events(values: Sequence[object], done: bool = True) -> bytes:
    """Each value as an event, then the end mark."""
    data = [msgspec.json.encode(value) for value in values]
    if done:
        data.append(b"[DONE]")
    return b"".join(b"data: " + payload + b"\n\n" for payload in data)


def delta(
    content: dict[str, object] | None = None,
    finish: str | None = None,
    index: int = 0,
    **more: object,
) -> dict[str, object]:
    """One chunk of a stream with one choice."""
    choice = {"index": index, "delta": content or {}, "finish_reason": finish, **more}
    return {"id": "chatcmpl-1", "model": "gpt-x-2026", "choices": [choice]}
