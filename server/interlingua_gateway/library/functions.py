"""One-line use of a gateway. The Python client has the same functions for its clients."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Unpack, overload

from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.library.aio import AsyncGateway
from interlingua_gateway.library.gateway import Gateway
from interlingua_gateway.library.options import EmbedOptions, GenerateOptions, Prompt
from interlingua_gateway.library.results import GenerateResult
from interlingua_gateway.library.stream import TextStream


@overload
def generate_text(
    gateway: Gateway, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
) -> str: ...
@overload
def generate_text(
    gateway: AsyncGateway,
    prompt: Prompt,
    model: str | None = None,
    **options: Unpack[GenerateOptions],
) -> Awaitable[str]: ...
def generate_text(
    gateway: Gateway | AsyncGateway,
    prompt: Prompt,
    model: str | None = None,
    **options: Unpack[GenerateOptions],
) -> str | Awaitable[str]:
    """The text of the answer to `prompt`; to be awaited with `gateway.aio`."""
    if isinstance(gateway, AsyncGateway):
        return _text(gateway, prompt, model, options)
    return gateway.generate(prompt, model, **options).text


def stream_text(
    gateway: Gateway | AsyncGateway,
    prompt: Prompt,
    model: str | None = None,
    **options: Unpack[GenerateOptions],
) -> TextStream:
    """The text of the answer to `prompt` as it comes, for `for` and for `async for`.

    Ends quietly only if the answer is whole. Closing or dropping it cancels the answer.
    """
    return gateway.stream(prompt, model, **options).text_deltas()


@overload
def generate_embeddings(
    gateway: Gateway,
    texts: str | Sequence[str],
    model: str | None = None,
    **options: Unpack[EmbedOptions],
) -> list[list[float]]: ...
@overload
def generate_embeddings(
    gateway: AsyncGateway,
    texts: str | Sequence[str],
    model: str | None = None,
    **options: Unpack[EmbedOptions],
) -> Awaitable[list[list[float]]]: ...
def generate_embeddings(
    gateway: Gateway | AsyncGateway,
    texts: str | Sequence[str],
    model: str | None = None,
    **options: Unpack[EmbedOptions],
) -> list[list[float]] | Awaitable[list[list[float]]]:
    """One vector for each text, in their order; to be awaited with `gateway.aio`."""
    if isinstance(gateway, AsyncGateway):
        return _vectors(gateway, texts, model, options)
    return gateway.embed(texts, model, **options).vectors


@overload
def batch_generate(
    gateway: Gateway,
    prompts: Sequence[Prompt],
    model: str | None = None,
    *,
    max_parallel: int | None = None,
    **options: Unpack[GenerateOptions],
) -> list[GenerateResult | GatewayError]: ...
@overload
def batch_generate(
    gateway: AsyncGateway,
    prompts: Sequence[Prompt],
    model: str | None = None,
    *,
    max_parallel: int | None = None,
    **options: Unpack[GenerateOptions],
) -> Awaitable[list[GenerateResult | GatewayError]]: ...
def batch_generate(
    gateway: Gateway | AsyncGateway,
    prompts: Sequence[Prompt],
    model: str | None = None,
    *,
    max_parallel: int | None = None,
    **options: Unpack[GenerateOptions],
) -> list[GenerateResult | GatewayError] | Awaitable[list[GenerateResult | GatewayError]]:
    """The answers in the order of the prompts; what failed is an exception in its place.

    To be awaited with `gateway.aio`.
    """
    return gateway.batch(prompts, model, max_parallel=max_parallel, **options)


async def _text(
    gateway: AsyncGateway, prompt: Prompt, model: str | None, options: GenerateOptions
) -> str:
    return (await gateway.generate(prompt, model, **options)).text


async def _vectors(
    gateway: AsyncGateway, texts: str | Sequence[str], model: str | None, options: EmbedOptions
) -> list[list[float]]:
    return (await gateway.embed(texts, model, **options)).vectors
