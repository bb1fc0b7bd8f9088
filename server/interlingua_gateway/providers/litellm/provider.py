"""The universal provider: any upstream that litellm speaks to, by litellm's own model names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.core.events import Batch, TokenCount
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.types import CountRequest, EmbedRequest, GenerateRequest
from interlingua_gateway.providers.litellm.direct import Direct, Pieces
from interlingua_gateway.providers.litellm.embedding import embeddings_in, embeddings_of
from interlingua_gateway.providers.litellm.events import Decoder
from interlingua_gateway.providers.litellm.exchange import Exchange
from interlingua_gateway.providers.litellm.facts import Facts
from interlingua_gateway.providers.litellm.failure import Judge
from interlingua_gateway.providers.litellm.marks import Marks
from interlingua_gateway.providers.litellm.messages import Json
from interlingua_gateway.providers.litellm.prepared import Ask
from interlingua_gateway.providers.litellm.request import (
    body_options,
    chat_arguments,
    embed_arguments,
)
from interlingua_gateway.providers.litellm.source import Source
from interlingua_gateway.providers.litellm.vectors import vectors_of
from interlingua_gateway.providers.litellm.ways import embeds_alone, made_alone
from interlingua_gateway.providers.openai.failures import Failures
from interlingua_gateway.providers.transport.messages import Transport

if TYPE_CHECKING:
    from interlingua_gateway.providers.litellm.library import Answers, Library

_BEFORE_IMPORT: Mapping[str, str] = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # no price map over the network
    "LITELLM_MODE": "PRODUCTION",  # no .env file of the working directory
}


class LiteLLMProvider:
    """One account at one of litellm's upstreams.

    Args:
        name: the provider's name in the configuration.
        params: litellm's own parameters for every call: `api_key`, `api_base`, `api_version`,
            `aws_region_name`, `vertex_project`, `custom_llm_provider`, ...
        redactor: knows the secrets among them.
        clock: tells the time that a Retry-After date is held to.
        environment: the process's environment; litellm reads it while it is imported, so two
            switches are set in it (unless they are set) before that.
        transport: carries the requests; owned by this provider from now on.
    """

    def __init__(
        self,
        name: str,
        *,
        params: Mapping[str, object],
        redactor: Redactor,
        clock: Clock,
        environment: MutableMapping[str, str],
        transport: Transport,
    ) -> None:
        self._name = name
        self._params = dict(params)
        self._judge = Judge(redactor, clock)
        self._failures = Failures(redactor)
        self._transport = transport
        self._load = partial(_load, environment)
        self._library: Library | None = None
        self._loading = asyncio.Lock()
        self._facts = lru_cache(maxsize=256)(self._look_up)

    async def preload(self) -> None:
        """Import litellm in a thread, if that has not been done: it takes seconds."""
        async with self._loading:
            if self._library is None:
                self._library = await asyncio.to_thread(self._load)

    async def open(self, attempt: Attempt) -> Reply:
        """Send the request and wait for the first event.

        Raises:
            CallerError: the upstream found the request at fault, or a parameter is unsupported.
            UpstreamError: it failed before its first event.
            InternalError: litellm cannot make the request as it is configured.
        """
        library = await self._ready()
        request = attempt.request
        exchange = Exchange(self._transport, attempt, watched=isinstance(request, GenerateRequest))
        try:
            if isinstance(request, CountRequest):
                return await self._count(library, request.request, exchange)
            if isinstance(request, EmbedRequest):
                return await self._embed(library, request, exchange)
            return await self._generate(library, request, exchange)
        except GatewayError as error:
            exchange.close()
            raise self._judge.final(error, exchange) from None
        except BaseException:
            exchange.close()
            raise

    async def models(self) -> Sequence[str]:
        """The models that litellm lists for this provider; nothing is asked of the upstream."""
        library = await self._ready()
        provider = self._params.get("custom_llm_provider", self._name)
        return library.names(str(provider))

    async def aclose(self) -> None:
        """Close every connection; open replies break off."""
        await self._transport.aclose()

    async def _ready(self) -> Library:
        if self._library is None:
            await self.preload()
        assert self._library is not None
        return self._library

    def _look_up(self, model: str) -> Facts:
        assert self._library is not None
        provider = self._params.get("custom_llm_provider")
        base = self._params.get("api_base")
        return self._library.facts(
            model,
            provider if isinstance(provider, str) else None,
            base if isinstance(base, str) else None,
        )

    def _arguments(self, attempt: Attempt, made: Json) -> Json:
        target = attempt.target
        total_s = target.timeouts.total_s
        return {**self._params, **made, "model": target.model, "timeout": total_s}

    def _ask(self, attempt: Attempt, facts: Facts, made: Json) -> Ask:
        timeout_s = attempt.target.timeouts.total_s
        return Ask(facts.name, facts.provider, self._params, made, timeout_s)

    async def _generate(
        self, library: Library, request: GenerateRequest, exchange: Exchange
    ) -> Reply:
        attempt = exchange.attempt
        facts = self._facts(attempt.target.model)
        exchange.options = body_options(request, facts, attempt)
        made = chat_arguments(request, facts, attempt)
        answer, answers = await self._answer(library, request, facts, exchange, made)
        audio_format = request.audio.format if request.audio is not None else ""
        decoder = Decoder(exchange.marks, _wanted(made), audio_format)
        if answers is None:
            batch: Batch = decoder.response(answer)
            exchange.finish()
            return Reply(_start(attempt, exchange.marks), batch)
        source = Source(answers, decoder, exchange, self._judge)
        batch = await source.first()
        return Reply(_start(attempt, exchange.marks), batch, source)

    async def _answer(
        self,
        library: Library,
        request: GenerateRequest,
        facts: Facts,
        exchange: Exchange,
        made: Json,
    ) -> tuple[object, Answers | Pieces | None]:
        """litellm's response, or the chunks of one."""
        attempt = exchange.attempt
        if made_alone(facts.provider, self._params, request):
            ask = self._ask(attempt, facts, made)
            if (prepared := await library.prepare(ask)) is not None:
                direct = Direct(library, ask, prepared, exchange)
                answer = await direct.read(await direct.send())
                return (None, answer) if isinstance(answer, Pieces) else (answer, None)
        answer = await library.call(exchange, self._arguments(attempt, made))
        return answer, library.stream(answer)

    async def _embed(self, library: Library, request: EmbedRequest, exchange: Exchange) -> Reply:
        attempt = exchange.attempt
        facts = self._facts(attempt.target.model)
        exchange.options = body_options(request, facts, attempt)
        made = embed_arguments(request, facts, attempt)
        batch: Batch
        if embeds_alone(facts.provider, self._params):
            ask = self._ask(attempt, facts, made)
            response = await Direct(library, ask, embeddings_of(ask), exchange).send()
            batch = await embeddings_in(response, exchange, request, self._failures)
        else:
            made = self._arguments(attempt, made)
            batch = vectors_of(await library.call(exchange, made, embeddings=True), request)
        exchange.finish()
        return Reply(_start(attempt, exchange.marks), batch)

    async def _count(self, library: Library, request: GenerateRequest, exchange: Exchange) -> Reply:
        attempt = exchange.attempt
        model = attempt.target.model
        made = chat_arguments(request, self._facts(model), attempt)
        tokens = await asyncio.to_thread(library.count, model, made["messages"], made.get("tools"))
        return Reply(_start(attempt, exchange.marks), (TokenCount(tokens, estimated=True),))


def _wanted(arguments: Json) -> int:
    """How many candidates were asked for in the end."""
    wanted = arguments.get("n", 1)
    return wanted if isinstance(wanted, int) else 1


def _start(attempt: Attempt, marks: Marks) -> Start:
    target = attempt.target
    return Start(
        deployment=target.deployment,
        provider=target.provider,
        model=target.model,
        upstream_model=marks.model,
        upstream_id=marks.id,
    )


def _load(environment: MutableMapping[str, str]) -> Library:
    for name, value in _BEFORE_IMPORT.items():
        environment.setdefault(name, value)
    # The one lazy import of the house: what stands behind it costs seconds and 260 MB.
    from interlingua_gateway.providers.litellm.library import Library  # noqa: PLC0415

    return Library()
