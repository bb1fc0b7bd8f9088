"""The contract's enums beside the core's: one table for each, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from interlingua.v1 import content_pb2, embed_pb2, gateway_service_pb2, generate_pb2
from interlingua_gateway.core.call import CacheStatus, DedupeStatus
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.events import DecidedBy, FinishReason, Outcome
from interlingua_gateway.core.target import Capability
from interlingua_gateway.core.types import Effort, Modality, Role, ToolMode

E = TypeVar("E")

ROLES: Final[Mapping[int, Role]] = {
    content_pb2.ROLE_SYSTEM: Role.SYSTEM,
    content_pb2.ROLE_DEVELOPER: Role.DEVELOPER,
    content_pb2.ROLE_USER: Role.USER,
    content_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    content_pb2.ROLE_TOOL: Role.TOOL,
}
DETAILS: Final[Mapping[int, str | None]] = {
    content_pb2.MEDIA_DETAIL_UNSPECIFIED: None,
    content_pb2.MEDIA_DETAIL_LOW: "low",
    content_pb2.MEDIA_DETAIL_HIGH: "high",
}
TOOL_MODES: Final[Mapping[int, ToolMode]] = {
    content_pb2.TOOL_MODE_AUTO: ToolMode.AUTO,
    content_pb2.TOOL_MODE_NONE: ToolMode.NONE,
    content_pb2.TOOL_MODE_REQUIRED: ToolMode.REQUIRED,
}
EFFORTS: Final[Mapping[int, Effort | None]] = {
    generate_pb2.REASONING_EFFORT_UNSPECIFIED: None,
    generate_pb2.REASONING_EFFORT_NONE: Effort.NONE,
    generate_pb2.REASONING_EFFORT_MINIMAL: Effort.MINIMAL,
    generate_pb2.REASONING_EFFORT_LOW: Effort.LOW,
    generate_pb2.REASONING_EFFORT_MEDIUM: Effort.MEDIUM,
    generate_pb2.REASONING_EFFORT_HIGH: Effort.HIGH,
    generate_pb2.REASONING_EFFORT_MAX: Effort.MAX,
}
MODALITIES: Final[Mapping[int, Modality]] = {
    content_pb2.MODALITY_TEXT: Modality.TEXT,
    content_pb2.MODALITY_AUDIO: Modality.AUDIO,
    content_pb2.MODALITY_IMAGE: Modality.IMAGE,
}
SAFETY_CATEGORIES: Final[Mapping[int, str]] = {
    generate_pb2.SAFETY_CATEGORY_HARASSMENT: "harassment",
    generate_pb2.SAFETY_CATEGORY_HATE_SPEECH: "hate_speech",
    generate_pb2.SAFETY_CATEGORY_SEXUALLY_EXPLICIT: "sexually_explicit",
    generate_pb2.SAFETY_CATEGORY_DANGEROUS_CONTENT: "dangerous_content",
}
SAFETY_THRESHOLDS: Final[Mapping[int, str]] = {
    generate_pb2.SAFETY_THRESHOLD_BLOCK_LOW_AND_ABOVE: "block_low_and_above",
    generate_pb2.SAFETY_THRESHOLD_BLOCK_MEDIUM_AND_ABOVE: "block_medium_and_above",
    generate_pb2.SAFETY_THRESHOLD_BLOCK_ONLY_HIGH: "block_only_high",
    generate_pb2.SAFETY_THRESHOLD_BLOCK_NONE: "block_none",
}
EMBED_TASKS: Final[Mapping[int, str | None]] = {
    embed_pb2.EMBED_TASK_UNSPECIFIED: None,
    embed_pb2.EMBED_TASK_SEARCH_QUERY: "search_query",
    embed_pb2.EMBED_TASK_SEARCH_DOCUMENT: "search_document",
    embed_pb2.EMBED_TASK_CLASSIFICATION: "classification",
    embed_pb2.EMBED_TASK_CLUSTERING: "clustering",
    embed_pb2.EMBED_TASK_SIMILARITY: "similarity",
}
CAPABILITY_NUMBERS: Final[Mapping[Capability, generate_pb2.ModelCapability.ValueType]] = {
    capability: getattr(generate_pb2, f"MODEL_CAPABILITY_{capability.name}")
    for capability in Capability
}
CAPABILITIES: Final[Mapping[int, Capability]] = {
    number: capability for capability, number in CAPABILITY_NUMBERS.items()
}

FINISH_REASONS: Final[Mapping[FinishReason, generate_pb2.FinishReason.ValueType]] = {
    reason: getattr(generate_pb2, f"FINISH_REASON_{reason.name}") for reason in FinishReason
}
OUTCOMES: Final[Mapping[Outcome, generate_pb2.AttemptOutcome.ValueType]] = {
    outcome: getattr(generate_pb2, f"ATTEMPT_OUTCOME_{outcome.name}") for outcome in Outcome
}
DECIDED_BY: Final[Mapping[DecidedBy, generate_pb2.RouteDecisionSource.ValueType]] = {
    by: getattr(generate_pb2, f"ROUTE_DECISION_SOURCE_{by.name}") for by in DecidedBy
}
CACHE_STATUSES: Final[Mapping[CacheStatus | None, generate_pb2.CacheStatus.ValueType]] = {
    None: generate_pb2.CACHE_STATUS_UNSPECIFIED,
} | {status: getattr(generate_pb2, f"CACHE_STATUS_{status.name}") for status in CacheStatus}
DEDUPE_STATUSES: Final[Mapping[DedupeStatus | None, generate_pb2.DedupeStatus.ValueType]] = {
    None: generate_pb2.DEDUPE_STATUS_UNSPECIFIED,
} | {status: getattr(generate_pb2, f"DEDUPE_STATUS_{status.name}") for status in DedupeStatus}
HEALTH: Final[Mapping[str, gateway_service_pb2.HealthStatus.ValueType]] = {
    "unknown": gateway_service_pb2.HEALTH_STATUS_UNSPECIFIED,
    "healthy": gateway_service_pb2.HEALTH_STATUS_HEALTHY,
    "degraded": gateway_service_pb2.HEALTH_STATUS_DEGRADED,
    "unhealthy": gateway_service_pb2.HEALTH_STATUS_UNHEALTHY,
}
BREAKERS: Final[Mapping[str, gateway_service_pb2.BreakerState.ValueType]] = {
    "": gateway_service_pb2.BREAKER_STATE_UNSPECIFIED,
    "closed": gateway_service_pb2.BREAKER_STATE_CLOSED,
    "open": gateway_service_pb2.BREAKER_STATE_OPEN,
    "half_open": gateway_service_pb2.BREAKER_STATE_HALF_OPEN,
}


def known(table: Mapping[int, E], number: int, field: str) -> E:
    """The core's word for `number`.

    Raises:
        CallerError: the contract has no such value, or it is the unspecified one where one of the
            others is needed.
    """
    if number in table:
        return table[number]
    if number == 0:
        raise CallerError.of_field(field, "must be set")
    raise CallerError.of_field(field, f"{number} is not a value of this enum")
