"""A provider over litellm at an upstream on loopback."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable

import pytest

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import GenerateRequest, Message, Request, Role, Text
from interlingua_gateway.providers.litellm import LiteLLMProvider
from interlingua_gateway.providers.transport.client import HttpClient
from tests.support.wires import SECRETS

Make = Callable[..., LiteLLMProvider]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes providers that are closed after the test."""
    made: list[LiteLLMProvider] = []

    def provider(**params: object) -> LiteLLMProvider:
        clock = SystemClock()
        provider = LiteLLMProvider(
            "upstream",
            params=params,
            redactor=Redactor(SECRETS),
            clock=clock,
            environment=os.environ,
            transport=HttpClient(clock=clock),
        )
        made.append(provider)
        return provider

    yield provider
    for provider_made in made:
        await provider_made.aclose()


def attempt(
    model: str,
    request: Request | None = None,
    *,
    streaming: bool = False,
    lenient: bool = False,
) -> Attempt:
    """An attempt at `model`, which asks "Hi" unless told otherwise."""
    target = Target(deployment="d", provider="upstream", model=model, label="d")
    return Attempt(request or ask(), target, streaming=streaming, lenient=lenient)


def ask(**more: object) -> GenerateRequest:
    """A request that says "Hi"."""
    messages = (Message(role=Role.USER, parts=(Text(text="Hi"),)),)
    return GenerateRequest(**({"model": "alias", "messages": messages} | more))  # type: ignore[arg-type]
