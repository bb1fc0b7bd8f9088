"""The Python client of the Interlingua LLM gateway.

The messages of the contract are in `interlingua.v1`; those that one makes by hand are here too.

Each name is loaded when it is first used: who needs the messages alone does not load the client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from interlingua.aio import AsyncClient
    from interlingua.aio_stream import AsyncStream
    from interlingua.client import Client
    from interlingua.endpoint import TLS
    from interlingua.errors import (
        AuthenticationError,
        BudgetExceededError,
        CallCancelledError,
        DeadlineExceededError,
        GuardrailError,
        InterlinguaError,
        InternalGatewayError,
        InvalidRequestError,
        NotFoundError,
        NotImplementedByGatewayError,
        PermissionDeniedError,
        RateLimitedError,
        Resource,
        StreamBrokenError,
        UnavailableError,
        Violation,
    )
    from interlingua.functions import (
        batch_generate,
        generate_embeddings,
        generate_text,
        stream_text,
    )
    from interlingua.messages import (
        MessageDict,
        Prompt,
        assistant,
        audio,
        developer,
        file,
        function_tool,
        image,
        json_schema,
        system,
        tool_result,
        user,
        video,
    )
    from interlingua.requests import CallOptions, EmbedOptions, GenerateOptions
    from interlingua.results import EmbedResult, GenerateResult
    from interlingua.stream import Stream
    from interlingua.v1.content_pb2 import (
        AudioOutputOptions,
        Message,
        Part,
        Tool,
        ToolCall,
        ToolChoice,
    )
    from interlingua.v1.embed_pb2 import EmbedRequest
    from interlingua.v1.generate_pb2 import GenerateRequest, RoutingOptions, SafetySetting, Usage
    from interlingua.v1.model_service_pb2 import Model

__all__ = [
    "Client",
    "AsyncClient",
    "TLS",
    "Stream",
    "AsyncStream",
    "GenerateResult",
    "EmbedResult",
    "generate_text",
    "stream_text",
    "generate_embeddings",
    "batch_generate",
    "Prompt",
    "MessageDict",
    "CallOptions",
    "GenerateOptions",
    "EmbedOptions",
    "system",
    "developer",
    "user",
    "assistant",
    "tool_result",
    "image",
    "audio",
    "video",
    "file",
    "function_tool",
    "json_schema",
    "InterlinguaError",
    "InvalidRequestError",
    "AuthenticationError",
    "PermissionDeniedError",
    "NotFoundError",
    "RateLimitedError",
    "BudgetExceededError",
    "GuardrailError",
    "UnavailableError",
    "DeadlineExceededError",
    "StreamBrokenError",
    "CallCancelledError",
    "NotImplementedByGatewayError",
    "InternalGatewayError",
    "Violation",
    "Resource",
    "AudioOutputOptions",
    "EmbedRequest",
    "GenerateRequest",
    "Message",
    "Model",
    "Part",
    "RoutingOptions",
    "SafetySetting",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "Usage",
]

_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "aio": ("AsyncClient",),
    "aio_stream": ("AsyncStream",),
    "client": ("Client",),
    "endpoint": ("TLS",),
    "errors": (
        "AuthenticationError",
        "BudgetExceededError",
        "CallCancelledError",
        "DeadlineExceededError",
        "GuardrailError",
        "InterlinguaError",
        "InternalGatewayError",
        "InvalidRequestError",
        "NotFoundError",
        "NotImplementedByGatewayError",
        "PermissionDeniedError",
        "RateLimitedError",
        "Resource",
        "StreamBrokenError",
        "UnavailableError",
        "Violation",
    ),
    "functions": (
        "batch_generate",
        "generate_embeddings",
        "generate_text",
        "stream_text",
    ),
    "messages": (
        "MessageDict",
        "Prompt",
        "assistant",
        "audio",
        "developer",
        "file",
        "function_tool",
        "image",
        "json_schema",
        "system",
        "tool_result",
        "user",
        "video",
    ),
    "requests": (
        "CallOptions",
        "EmbedOptions",
        "GenerateOptions",
    ),
    "results": (
        "EmbedResult",
        "GenerateResult",
    ),
    "stream": ("Stream",),
    "v1.content_pb2": (
        "AudioOutputOptions",
        "Message",
        "Part",
        "Tool",
        "ToolCall",
        "ToolChoice",
    ),
    "v1.embed_pb2": ("EmbedRequest",),
    "v1.generate_pb2": (
        "GenerateRequest",
        "RoutingOptions",
        "SafetySetting",
        "Usage",
    ),
    "v1.model_service_pb2": ("Model",),
}
"""Where each name stands."""


if not TYPE_CHECKING:  # else every name would be there for a type checker

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
