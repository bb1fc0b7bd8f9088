"""The Python client of the Interlingua LLM gateway.

The messages of the contract are in `interlingua.v1`; those that one makes by hand are here too.
"""

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
from interlingua.functions import batch_generate, generate_embeddings, generate_text, stream_text
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
from interlingua.v1.content_pb2 import AudioOutputOptions, Message, Part, Tool, ToolCall, ToolChoice
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
