"""One-line use of a client. The gateway as a library has the same functions."""

from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from typing import Unpack, overload

from interlingua.aio import AsyncClient
from interlingua.client import Client
from interlingua.errors import InterlinguaError
from interlingua.messages import Prompt
from interlingua.requests import EmbedOptions, GenerateOptions
from interlingua.results import GenerateResult


@overload
def generate_text(
    client: Client, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
) -> str: ...
@overload
def generate_text(
    client: AsyncClient,
    prompt: Prompt,
    model: str | None = None,
    **options: Unpack[GenerateOptions],
) -> Awaitable[str]: ...
def generate_text(
    client: Client | AsyncClient,
    prompt: Prompt,
    model: str | None = None,
    **options: Unpack[GenerateOptions],
) -> str | Awaitable[str]:
    """The text of the answer to `prompt`; to be awaited with an AsyncClient."""
    if isinstance(client, AsyncClient):
        return _text(client, prompt, model, options)
    return client.generate(prompt, model, **options).text


@overload
def stream_text(
    client: Client, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
) -> Iterator[str]: ...
@overload
def stream_text(
    client: AsyncClient,
    prompt: Prompt,
    model: str | None = None,
    **options: Unpack[GenerateOptions],
) -> AsyncIterator[str]: ...
def stream_text(
    client: Client | AsyncClient,
    prompt: Prompt,
    model: str | None = None,
    **options: Unpack[GenerateOptions],
) -> Iterator[str] | AsyncIterator[str]:
    """The text of the answer to `prompt` as it comes; for `async for` with an AsyncClient.

    Ends quietly only if the answer is whole. Closing the iterator cancels the answer.
    """
    if isinstance(client, AsyncClient):
        return _text_deltas(client, prompt, model, options)
    return _text_deltas_blocking(client, prompt, model, options)


@overload
def generate_embeddings(
    client: Client,
    texts: str | Sequence[str],
    model: str | None = None,
    **options: Unpack[EmbedOptions],
) -> list[list[float]]: ...
@overload
def generate_embeddings(
    client: AsyncClient,
    texts: str | Sequence[str],
    model: str | None = None,
    **options: Unpack[EmbedOptions],
) -> Awaitable[list[list[float]]]: ...
def generate_embeddings(
    client: Client | AsyncClient,
    texts: str | Sequence[str],
    model: str | None = None,
    **options: Unpack[EmbedOptions],
) -> list[list[float]] | Awaitable[list[list[float]]]:
    """One vector for each text, in their order; to be awaited with an AsyncClient."""
    if isinstance(client, AsyncClient):
        return _vectors(client, texts, model, options)
    return client.embed(texts, model, **options).vectors


@overload
def batch_generate(
    client: Client,
    prompts: Sequence[Prompt],
    model: str | None = None,
    *,
    max_parallel: int | None = None,
    **options: Unpack[GenerateOptions],
) -> list[GenerateResult | InterlinguaError]: ...
@overload
def batch_generate(
    client: AsyncClient,
    prompts: Sequence[Prompt],
    model: str | None = None,
    *,
    max_parallel: int | None = None,
    **options: Unpack[GenerateOptions],
) -> Awaitable[list[GenerateResult | InterlinguaError]]: ...
def batch_generate(
    client: Client | AsyncClient,
    prompts: Sequence[Prompt],
    model: str | None = None,
    *,
    max_parallel: int | None = None,
    **options: Unpack[GenerateOptions],
) -> list[GenerateResult | InterlinguaError] | Awaitable[list[GenerateResult | InterlinguaError]]:
    """The answers in the order of the prompts; what failed is an exception in its place.

    To be awaited with an AsyncClient. Raises only if the batch failed before its first result.
    """
    return client.batch(prompts, model, max_parallel=max_parallel, **options)


async def _text(
    client: AsyncClient, prompt: Prompt, model: str | None, options: GenerateOptions
) -> str:
    return (await client.generate(prompt, model, **options)).text


async def _text_deltas(
    client: AsyncClient, prompt: Prompt, model: str | None, options: GenerateOptions
) -> AsyncIterator[str]:
    async with client.stream(prompt, model, **options) as stream:
        async for text in stream.text_deltas():
            yield text


def _text_deltas_blocking(
    client: Client, prompt: Prompt, model: str | None, options: GenerateOptions
) -> Iterator[str]:
    with client.stream(prompt, model, **options) as stream:
        yield from stream.text_deltas()


async def _vectors(
    client: AsyncClient, texts: str | Sequence[str], model: str | None, options: EmbedOptions
) -> list[list[float]]:
    return (await client.embed(texts, model, **options)).vectors
