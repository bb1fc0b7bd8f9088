"""Interlingua: an LLM gateway whose front is gRPC. What stands here is the gateway as a library.

Each name is loaded when it is first used: importing this package alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from interlingua_gateway.config.programmatic import GatewayConfig as GatewayConfig
    from interlingua_gateway.core.errors import CallerError as CallerError
    from interlingua_gateway.core.errors import GatewayError as GatewayError
    from interlingua_gateway.core.errors import InternalError as InternalError
    from interlingua_gateway.core.errors import PolicyError as PolicyError
    from interlingua_gateway.core.errors import Reason as Reason
    from interlingua_gateway.core.errors import UpstreamError as UpstreamError
    from interlingua_gateway.core.events import Finish as Finish
    from interlingua_gateway.core.events import ReasoningDelta as ReasoningDelta
    from interlingua_gateway.core.events import TextDelta as TextDelta
    from interlingua_gateway.core.events import ToolCallDelta as ToolCallDelta
    from interlingua_gateway.core.events import Usage as Usage
    from interlingua_gateway.core.prices import Cost as Cost
    from interlingua_gateway.core.prices import Price as Price
    from interlingua_gateway.core.target import Capability as Capability
    from interlingua_gateway.core.target import Model as Model
    from interlingua_gateway.core.target import Strategy as Strategy
    from interlingua_gateway.core.types import AudioOutput as AudioOutput
    from interlingua_gateway.core.types import GenerateRequest as GenerateRequest
    from interlingua_gateway.core.types import Media as Media
    from interlingua_gateway.core.types import MediaKind as MediaKind
    from interlingua_gateway.core.types import Message as Message
    from interlingua_gateway.core.types import Reasoning as Reasoning
    from interlingua_gateway.core.types import ResponseFormat as ResponseFormat
    from interlingua_gateway.core.types import Role as Role
    from interlingua_gateway.core.types import Text as Text
    from interlingua_gateway.core.types import Tool as Tool
    from interlingua_gateway.core.types import ToolCall as ToolCall
    from interlingua_gateway.core.types import ToolChoice as ToolChoice
    from interlingua_gateway.core.types import ToolMode as ToolMode
    from interlingua_gateway.core.types import ToolResult as ToolResult
    from interlingua_gateway.core.wishes import Routing as Routing
    from interlingua_gateway.library.aio import AsyncGateway as AsyncGateway
    from interlingua_gateway.library.feedback import FeedbackLoop as FeedbackLoop
    from interlingua_gateway.library.feedback import FeedbackType as FeedbackType
    from interlingua_gateway.library.functions import batch_generate as batch_generate
    from interlingua_gateway.library.functions import generate_embeddings as generate_embeddings
    from interlingua_gateway.library.functions import generate_text as generate_text
    from interlingua_gateway.library.functions import stream_text as stream_text
    from interlingua_gateway.library.gateway import Gateway as Gateway
    from interlingua_gateway.library.making import MultiProviderGateway as MultiProviderGateway
    from interlingua_gateway.library.making import configure_gateway as configure_gateway
    from interlingua_gateway.library.making import create_gateway as create_gateway
    from interlingua_gateway.library.options import CallOptions as CallOptions
    from interlingua_gateway.library.options import DeliveryOptions as DeliveryOptions
    from interlingua_gateway.library.options import EmbedOptions as EmbedOptions
    from interlingua_gateway.library.options import GenerateOptions as GenerateOptions
    from interlingua_gateway.library.options import MessageDict as MessageDict
    from interlingua_gateway.library.options import Prompt as Prompt
    from interlingua_gateway.library.reports import CostSummary as CostSummary
    from interlingua_gateway.library.reports import Health as Health
    from interlingua_gateway.library.reports import LearningInsights as LearningInsights
    from interlingua_gateway.library.reports import LlmopsMetrics as LlmopsMetrics
    from interlingua_gateway.library.reports import ProviderHealth as ProviderHealth
    from interlingua_gateway.library.results import EmbedResult as EmbedResult
    from interlingua_gateway.library.results import GenerateResult as GenerateResult
    from interlingua_gateway.library.settings import CircuitBreakerConfig as CircuitBreakerConfig
    from interlingua_gateway.library.settings import RateLimitConfig as RateLimitConfig
    from interlingua_gateway.library.stream import AsyncStream as AsyncStream
    from interlingua_gateway.library.stream import Stream as Stream
    from interlingua_gateway.library.stream import TextStream as TextStream

_ROOMS: Final = {
    "config.programmatic": ("GatewayConfig",),
    "core.errors": (
        "CallerError",
        "GatewayError",
        "InternalError",
        "PolicyError",
        "Reason",
        "UpstreamError",
    ),
    "core.events": (
        "Finish",
        "ReasoningDelta",
        "TextDelta",
        "ToolCallDelta",
        "Usage",
    ),
    "core.prices": (
        "Cost",
        "Price",
    ),
    "core.target": (
        "Capability",
        "Model",
        "Strategy",
    ),
    "core.types": (
        "AudioOutput",
        "GenerateRequest",
        "Media",
        "MediaKind",
        "Message",
        "Reasoning",
        "ResponseFormat",
        "Role",
        "Text",
        "Tool",
        "ToolCall",
        "ToolChoice",
        "ToolMode",
        "ToolResult",
    ),
    "core.wishes": ("Routing",),
    "library.aio": ("AsyncGateway",),
    "library.feedback": (
        "FeedbackLoop",
        "FeedbackType",
    ),
    "library.functions": (
        "batch_generate",
        "generate_embeddings",
        "generate_text",
        "stream_text",
    ),
    "library.gateway": ("Gateway",),
    "library.making": (
        "MultiProviderGateway",
        "configure_gateway",
        "create_gateway",
    ),
    "library.options": (
        "CallOptions",
        "DeliveryOptions",
        "EmbedOptions",
        "GenerateOptions",
        "MessageDict",
        "Prompt",
    ),
    "library.reports": (
        "CostSummary",
        "Health",
        "LearningInsights",
        "LlmopsMetrics",
        "ProviderHealth",
    ),
    "library.results": (
        "EmbedResult",
        "GenerateResult",
    ),
    "library.settings": (
        "CircuitBreakerConfig",
        "RateLimitConfig",
    ),
    "library.stream": (
        "AsyncStream",
        "Stream",
        "TextStream",
    ),
}
"""Where each name of the library stands."""


if not TYPE_CHECKING:  # else every name would be there for a type checker

    def __getattr__(name: str) -> object:
        for room, names in _ROOMS.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{room}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(name for names in _ROOMS.values() for name in names)})
