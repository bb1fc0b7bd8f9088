"""The jail of litellm: what the house asks of it; objects go in and out, opinions do not.

Only this module and those that it alone imports (`asking`, `shapes`, `silence`, `translation`)
import litellm, which takes seconds: it is done in a thread, when it is first needed. litellm is
called below its public wrappers, so that its callbacks, its cost tracking, its retries and its
logging workers never run, and with transports of our own.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any

import litellm
from litellm.litellm_core_utils.streaming_handler import CustomStreamWrapper
from litellm.llms.cohere.common_utils import CohereV2ModelResponseIterator

from interlingua_gateway.providers.litellm import cohere
from interlingua_gateway.providers.litellm.asking import error_of, prepared
from interlingua_gateway.providers.litellm.exchange import CURRENT, Exchange
from interlingua_gateway.providers.litellm.facts import Facts
from interlingua_gateway.providers.litellm.failure import Failure
from interlingua_gateway.providers.litellm.prepared import Ask, Prepared
from interlingua_gateway.providers.litellm.silence import quiet, silence
from interlingua_gateway.providers.litellm.translation import failure_of, translated

_REWRITTEN = frozenset(
    {"aleph_alpha", "azure_text", "nlp_cloud", "petals", "predibase", "replicate", "sagemaker"}
    | {"text-completion-codestral", "text-completion-openai", "triton", "vllm"}
)
"""Providers whose raw chunks only litellm's stream wrapper understands."""


_END = object()


class Library:
    """litellm, set up."""

    __slots__ = ()

    def __init__(self) -> None:
        silence()

    def facts(self, model: str, provider: str | None, api_base: str | None) -> Facts:
        """What litellm knows of `model`.

        Raises:
            Failure: the name tells no provider.
        """
        with translated(model, provider):
            name, found, _, _ = litellm.get_llm_provider(
                model=model, custom_llm_provider=provider, api_base=api_base
            )
        chat = _parameters(name, found, "chat_completion")
        embeddings = _parameters(name, found, "embeddings")
        # For some providers litellm answers the second question with the list of the first.
        return Facts(
            name=name,
            provider=found,
            chat=chat,
            embeddings=None if embeddings == chat else embeddings,
        )

    async def call(
        self, exchange: Exchange, arguments: Mapping[str, object], *, embeddings: bool = False
    ) -> object:
        """litellm's response: an object for `fields` to read, or one for `stream`.

        Raises:
            GatewayError: the transport's own.
            Failure: whatever else litellm raised.
        """
        model = str(arguments["model"])
        kind: Mapping[str, object] = (
            {"aembedding": True}
            if embeddings
            # The second keeps litellm.proxy from being imported.
            else {"acompletion": True, "_skip_mcp_handler": True}
        )
        work = partial(
            litellm.embedding if embeddings else litellm.completion,
            litellm_logging_obj=quiet(model, arguments),
            num_retries=0,
            max_retries=0,
            drop_params=False,
            **kind,
            **arguments,
        )
        token = CURRENT.set(exchange)
        try:
            with translated(model, arguments.get("custom_llm_provider")):
                response: object = await _off_loop(work)
                if inspect.isawaitable(response):
                    response = await response
                if isinstance(response, CustomStreamWrapper):
                    await response.fetch_stream()  # some providers send the request only here
        finally:
            CURRENT.reset(token)
        if exchange.fault is not None:  # litellm caught it and went on
            raise exchange.fault
        return response

    async def prepare(self, ask: Ask) -> Prepared | None:
        """The request for `ask`, or None if litellm has to carry it itself.

        Raises:
            Failure: litellm cannot make it.
        """
        with translated(ask.model, ask.provider):
            return await prepared(ask)

    def read(self, ask: Ask, reader: Callable[[Any], object], value: object) -> object:
        """What one of the readers of a Prepared makes of `value`.

        Raises:
            Failure: litellm cannot read it.
        """
        with translated(ask.model, ask.provider):
            return reader(value)

    def refused(self, ask: Ask, status: int, body: bytes) -> Failure:
        """What litellm says of a refusal."""
        text = body.decode(errors="replace")
        return failure_of(error_of(ask, status, text), ask.model, ask.provider)

    def stream(self, response: object) -> Answers | None:
        """The chunks of a response that is a stream, or None for a whole one."""
        return Answers(response) if isinstance(response, CustomStreamWrapper) else None

    def count(self, model: str, messages: object, tools: object) -> int:
        """Input tokens of a conversation by the local tokenizer that litellm has for `model`.

        Raises:
            Failure: litellm cannot count it.
        """
        with translated(model, None):
            return int(litellm.token_counter(model=model, messages=messages, tools=tools))

    def names(self, provider: str) -> list[str]:
        """The models of `provider` that litellm lists, by its own names."""
        return sorted(litellm.models_by_provider.get(provider, ()))


def _parameters(model: str, provider: str, kind: str) -> frozenset[str] | None:
    listed = litellm.get_supported_openai_params(
        model=model, custom_llm_provider=provider, request_type=kind
    )
    return None if listed is None else frozenset(listed)


async def _off_loop(work: Callable[[], Any]) -> Any:
    """Run litellm's synchronous half in a thread: it may fetch tokens or media."""
    running = asyncio.get_running_loop().run_in_executor(None, copy_context().run, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.add_done_callback(_discard)
        raise


def _discard(running: asyncio.Future[Any]) -> None:
    """Close the coroutine that nobody is going to await."""
    if not running.cancelled() and running.exception() is None:
        close = getattr(running.result(), "close", None)
        if close is not None:
            close()


class Answers:
    """The chunks of a stream as the provider's parser makes them.

    litellm's own wrapper around the parser is left out where that is possible: it knows one
    candidate only, holds finish reasons back, and invents one for a stream that just stops.
    """

    __slots__ = ("_chunks", "_inner")

    def __init__(self, wrapper: Any) -> None:
        inner = wrapper.completion_stream
        direct = (
            type(wrapper) is CustomStreamWrapper
            and wrapper.custom_llm_provider not in _REWRITTEN
            and hasattr(inner, "__aiter__")
        )
        self._inner: Any = inner if direct else wrapper
        self._chunks: AsyncIterator[Any] = (
            cohere.chunks(inner.streaming_response)
            if isinstance(inner, CohereV2ModelResponseIterator)
            else aiter(self._inner)
        )

    async def next(self) -> list[object] | None:
        """The next chunks, or None at the end of the bytes.

        Raises:
            GatewayError: the transport's own.
            Failure: whatever else litellm raised.
        """
        with translated("", None):
            while (chunk := await anext(self._chunks, _END)) is None:
                pass
        return None if chunk is _END else [chunk]

    async def aclose(self) -> None:
        """Let go of litellm's iterators; the upstream's connection is closed by its exchange."""
        for owner in (self._chunks, self._inner):
            close = getattr(owner, "aclose", None) or getattr(owner, "close", None)
            with suppress(Exception):
                if close is not None:
                    await close()
