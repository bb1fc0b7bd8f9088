"""The jail of litellm: the only module that imports it; objects go in and out, opinions do not.

Importing this module imports litellm, which takes seconds: it is done in a thread, when it is first
needed. litellm is called below its public wrappers, so that its callbacks, its cost tracking, its
retries and its logging workers never run, and with transports of our own.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import copy_context
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import litellm
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.litellm_core_utils.streaming_handler import CustomStreamWrapper
from litellm.llms.cohere.common_utils import CohereV2ModelResponseIterator
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.providers.litellm import cohere
from interlingua_gateway.providers.litellm.exchange import CURRENT, Exchange
from interlingua_gateway.providers.litellm.facts import Facts
from interlingua_gateway.providers.litellm.failure import Failure, Kind
from interlingua_gateway.providers.litellm.wire import Routed

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
        _prepare()

    def facts(self, model: str, provider: str | None, api_base: str | None) -> Facts:
        """What litellm knows of `model`.

        Raises:
            Failure: the name tells no provider.
        """
        with _translated(model, provider):
            name, found, _, _ = litellm.get_llm_provider(
                model=model, custom_llm_provider=provider, api_base=api_base
            )
        chat = _parameters(name, found, "chat_completion")
        embeddings = _parameters(name, found, "embeddings")
        # For some providers litellm answers the second question with the list of the first.
        return Facts(
            provider=found, chat=chat, embeddings=None if embeddings == chat else embeddings
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
        work = partial(
            litellm.embedding if embeddings else litellm.completion,
            litellm_logging_obj=_quiet(model, arguments),
            num_retries=0,
            max_retries=0,
            drop_params=False,
            _skip_mcp_handler=True,  # it would import litellm.proxy
            **{"aembedding" if embeddings else "acompletion": True},
            **arguments,
        )
        token = CURRENT.set(exchange)
        try:
            with _translated(model, arguments.get("custom_llm_provider")):
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

    def stream(self, response: object) -> Answers | None:
        """The chunks of a response that is a stream, or None for a whole one."""
        return Answers(response) if isinstance(response, CustomStreamWrapper) else None

    def count(self, model: str, messages: object, tools: object) -> int:
        """Input tokens of a conversation by the local tokenizer that litellm has for `model`.

        Raises:
            Failure: litellm cannot count it.
        """
        with _translated(model, None):
            return int(litellm.token_counter(model=model, messages=messages, tools=tools))

    def names(self, provider: str) -> list[str]:
        """The models of `provider` that litellm lists, by its own names."""
        return sorted(litellm.models_by_provider.get(provider, ()))


class _Quiet(Logging):  # type: ignore[misc]
    """The bookkeeping object that litellm's calls ask for; it keeps no prompt and tells nobody."""

    def pre_call(self, *arguments: Any, **named: Any) -> None:
        pass

    def post_call(self, *arguments: Any, **named: Any) -> None:
        pass

    def success_handler(self, *arguments: Any, **named: Any) -> None:
        pass

    def failure_handler(self, *arguments: Any, **named: Any) -> None:
        pass

    async def async_success_handler(self, *arguments: Any, **named: Any) -> None:
        pass

    async def async_failure_handler(self, *arguments: Any, **named: Any) -> None:
        pass


def _prepare() -> None:
    """Set litellm up: silent, exact, without retries, on our transports. Done once a process."""
    if AsyncHTTPHandler.create_client is _make_client:
        return
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.drop_params = False
    litellm.modify_params = False
    litellm.num_retries = None
    litellm.DEFAULT_MAX_RETRIES = 0  # its embeddings take a 0 from the caller for no answer
    litellm.cache = None
    litellm.disable_aiohttp_transport = True
    litellm.success_callback = []
    litellm.failure_callback = []
    litellm.aclient_session = _client()
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx", "httpcore", "openai"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL)
        logger.propagate = False
        logger.handlers.clear()
    AsyncHTTPHandler.create_client = _make_client
    litellm.token_counter(model="gpt-4o", text="warm")


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=Routed(), follow_redirects=False, trust_env=False, timeout=None
    )


def _make_client(handler: Any, *arguments: Any, **named: Any) -> httpx.AsyncClient:
    """Stands where litellm would open a session of its own."""
    return _client()


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


def _quiet(model: str, arguments: Mapping[str, object]) -> _Quiet:
    return _Quiet(
        model=model,
        messages=[],
        stream=arguments.get("stream", False),
        call_type="acompletion",
        start_time=datetime.fromtimestamp(0, UTC),
        litellm_call_id="",
        litellm_trace_id="-",
        function_id="",
        kwargs={},
        supports_correlation_logging=False,
    )


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

    async def next(self) -> Any:
        """The next chunk, or None at the end of the bytes.

        Raises:
            GatewayError: the transport's own.
            Failure: whatever else litellm raised.
        """
        with _translated("", None):
            while (chunk := await anext(self._chunks, _END)) is None:
                pass
        return None if chunk is _END else chunk

    async def aclose(self) -> None:
        """Let go of litellm's iterators; the upstream's connection is closed by its exchange."""
        for owner in (self._chunks, self._inner):
            close = getattr(owner, "aclose", None) or getattr(owner, "close", None)
            with suppress(Exception):
                if close is not None:
                    await close()


@contextmanager
def _translated(model: str, provider: Any) -> Iterator[None]:
    """Turn whatever litellm raises into a Failure. litellm raises every class there is, and its
    exceptions hold keys: their chain ends here."""
    try:
        yield
    except GatewayError:
        raise
    except Exception as error:  # noqa: BLE001 - the library raises every class there is
        raise _failure(error, model, provider) from None


def _failure(error: Exception, model: str, provider: Any) -> Failure:
    mapped = error
    try:
        mapped = litellm.exception_type(
            model=model, original_exception=error, custom_llm_provider=provider or ""
        )
    except Exception as raised:  # noqa: BLE001 - it raises the mapped exception, or another
        mapped = raised
    for kind, classes in _KINDS:
        if isinstance(mapped, classes):
            return Failure(kind, str(error))
    return Failure(Kind.OTHER, str(error))


_KINDS: tuple[tuple[Kind, Any], ...] = (
    (Kind.CONTEXT, litellm.ContextWindowExceededError),
    (Kind.CONTENT, litellm.ContentPolicyViolationError),
    (Kind.PARAMETER, litellm.UnsupportedParamsError),
    (Kind.CREDENTIALS, (litellm.AuthenticationError, litellm.PermissionDeniedError)),
    (Kind.REQUEST, (litellm.BadRequestError, litellm.UnprocessableEntityError)),
)
