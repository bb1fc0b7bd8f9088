"""The gateway inside of a program: for threads, and with `_async` methods for event loops."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self, Unpack

from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.library.aio import AsyncGateway
from interlingua_gateway.library.controls import Controls
from interlingua_gateway.library.options import EmbedOptions, GenerateOptions, Prompt, Texts
from interlingua_gateway.library.results import EmbedResult, GenerateResult
from interlingua_gateway.library.stream import AsyncStream, Stream
from interlingua_gateway.library.work import batching, begun, embedding, generating


class Gateway(Controls):
    """A gateway that runs on a thread of its own. Any number of threads and event loops may use it.

    Methods block the calling thread; where an event loop runs there, use the ones that end in
    `_async`, or `aio`, which has the same under the names of the Python client. Calls raise
    GatewayError and its children, TypeError for an option that there is not.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def close(self) -> None:
        """Ends calls, connections and tasks, and brings the ledger's records into its database.

        Calls in flight get SHUTTING_DOWN, and so do later ones.
        """
        self._host.close()

    async def aclose(self) -> None:
        """The same, awaited."""
        await self.aio.aclose()

    @property
    def aio(self) -> AsyncGateway:
        """The same gateway for asyncio."""
        return AsyncGateway(self._host)

    def generate(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> GenerateResult:
        """Answers a text, a conversation or a whole request, when the model has finished.

        `model` is an alias of the gateway; without it the gateway's `default` answers.
        """
        return self._host.wait(generating(self._host, prompt, model, options))

    async def generate_async(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> GenerateResult:
        """The same, awaited."""
        return await self.aio.generate(prompt, model, **options)

    def generate_stream(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> Stream:
        """Answers like `generate`, event by event. Close the stream, or use it in `with`."""
        return Stream(begun(self._host, prompt, model, options))

    def generate_stream_async(
        self, prompt: Prompt, model: str | None = None, **options: Unpack[GenerateOptions]
    ) -> AsyncStream:
        """The same for `async for`."""
        return AsyncStream(begun(self._host, prompt, model, options))

    def embed(
        self, texts: Texts, model: str | None = None, **options: Unpack[EmbedOptions]
    ) -> EmbedResult:
        """Turns texts, or sequences of token ids, into vectors, one for each, in their order.

        There may be more of them than the provider takes at once.
        """
        return self._host.wait(embedding(self._host, texts, model, options))

    async def embed_async(
        self, texts: Texts, model: str | None = None, **options: Unpack[EmbedOptions]
    ) -> EmbedResult:
        """The same, awaited."""
        return await self.aio.embed(texts, model, **options)

    def batch(
        self,
        prompts: Sequence[Prompt],
        model: str | None = None,
        *,
        max_parallel: int | None = None,
        **options: Unpack[GenerateOptions],
    ) -> list[GenerateResult | GatewayError]:
        """Answers several prompts, in their order; what failed is an exception in its place.

        `options` hold for each of them; at most `max_parallel` run at the same time.
        """
        work = batching(self._host, prompts, model, max_parallel, options)
        return self._host.wait(work)

    async def batch_async(
        self,
        prompts: Sequence[Prompt],
        model: str | None = None,
        *,
        max_parallel: int | None = None,
        **options: Unpack[GenerateOptions],
    ) -> list[GenerateResult | GatewayError]:
        """The same, awaited."""
        return await self.aio.batch(prompts, model, max_parallel=max_parallel, **options)

    complete = generate
    stream = generate_stream
