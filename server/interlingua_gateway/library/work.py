"""The arguments of a method into the work that it asks of the gateway's loop."""

from __future__ import annotations

from collections.abc import Sequence

from interlingua_gateway.core.errors import GatewayError
from interlingua_gateway.library.host import Host
from interlingua_gateway.library.loop import Work
from interlingua_gateway.library.options import EmbedOptions, GenerateOptions, Prompt, Texts
from interlingua_gateway.library.pipe import Pipe
from interlingua_gateway.library.requests import embed_request, generate_request
from interlingua_gateway.library.results import EmbedResult, GenerateResult
from interlingua_gateway.library.stream import Reader
from interlingua_gateway.library.wishes import wishes_of


def generating(
    host: Host, prompt: Prompt, model: str | None, options: GenerateOptions
) -> Work[GenerateResult]:
    """One whole answer."""
    request, wishes = generate_request(prompt, model, options), wishes_of(options)
    return host.calls.generate(request, wishes)


def embedding(
    host: Host, texts: Texts, model: str | None, options: EmbedOptions
) -> Work[EmbedResult]:
    """Vectors."""
    request, wishes = embed_request(texts, model, options), wishes_of(options)
    return host.calls.embed(request, wishes)


def batching(
    host: Host,
    prompts: Sequence[Prompt],
    model: str | None,
    max_parallel: int | None,
    options: GenerateOptions,
) -> Work[list[GenerateResult | GatewayError]]:
    """Several whole answers."""
    requests = [generate_request(prompt, model, options) for prompt in prompts]
    return host.calls.batch(requests, wishes_of(options), max_parallel)


def begun(host: Host, prompt: Prompt, model: str | None, options: GenerateOptions) -> Reader:
    """A streamed answer; it begins now."""
    request, wishes, pipe = generate_request(prompt, model, options), wishes_of(options), Pipe()
    return Reader(host, pipe, host.loop.submit(host.calls.stream(request, wishes, pipe)))
