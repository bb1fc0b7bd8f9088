"""A limit that the gateway enforces is told where a caller in any language reads of the field."""

from __future__ import annotations

import re

import pytest

from interlingua_gateway.core import budget, checks, feedback
from interlingua_gateway.wire.grpc import (
    admin_budgets,
    admin_fields,
    decode_reports,
    decode_wishes,
    gateway,
    parse,
)
from interlingua_gateway.wire.grpc import feedback as feedback_methods
from tests.house.tree import ROOT

PROTOS = ROOT / "protos/interlingua/v1"

TOLD: list[tuple[str, str, str, tuple[object, ...]]] = [
    ("generate", "GenerateRequest", "idempotency_key", (checks.IDEMPOTENCY_KEY_LIMIT,)),
    (
        "generate",
        "GenerateRequest",
        "metadata",
        (checks.MAX_METADATA, checks.METADATA_KEY_LIMIT, checks.METADATA_LIMIT),
    ),
    ("generate", "GenerateRequest", "tags", (checks.MAX_TAGS, checks.TAG_LIMIT)),
    ("generate", "SamplingOptions", "candidate_count", (checks.MAX_CANDIDATES,)),
    ("generate", "RoutingOptions", "sticky_key", (decode_wishes.STICKY_KEY_LIMIT,)),
    ("generate", "BatchGenerateRequest", "requests", (gateway.MAX_BATCH_REQUESTS,)),
    ("content", "Tool", "name", (checks.NAME_LIMIT,)),
    ("content", "JsonSchemaFormat", "name", (checks.NAME_LIMIT,)),
    ("embed", "EmbedRequest", "dimensions", (checks.MAX_DIMENSIONS,)),
    ("usage_service", "OperationFilter", "tags", (decode_reports.MAX_TAGS,)),
    ("usage_service", "GetUsageRequest", "max_groups", (decode_reports.DEFAULT_GROUPS, "10,000")),
    (
        "feedback_service",
        "RecordFeedbackRequest",
        "metadata",
        (
            feedback_methods.MAX_METADATA,
            feedback_methods.LONGEST_KEY,
            feedback_methods.LONGEST_VALUE,
        ),
    ),
    ("feedback_service", "RecordFeedbackRequest", "feedback", (feedback.LONGEST_TEXT,)),
    ("feedback_service", "RecordFeedbackRequest", "user", (feedback_methods.LONGEST_USER,)),
    (
        "feedback_service",
        "GetInsightsRequest",
        "max_corrections",
        (feedback_methods.DEFAULT_CORRECTIONS, feedback_methods.MAX_CORRECTIONS),
    ),
    ("admin_service", "Budget", "limit_nano_usd", (budget.MOST_NANO_USD,)),
    ("admin_service", "Budget", "alert_thresholds", (admin_budgets.MOST_THRESHOLDS,)),
    ("admin_service", "Tenant", "display_name", (admin_fields.LONGEST_TEXT,)),
    ("admin_service", "Tenant", "allowed_models", (admin_fields.MOST_MODELS,)),
    ("gateway_service", "", "GatewayService", (parse.NESTING_LIMIT, "16 MiB", "64 KiB")),
] + [
    ("generate", "SamplingOptions", name, bounds)
    for name, bounds in checks.SAMPLING_RANGES.items()
    if name != "top_logprobs"
]


def comment(file: str, message: str, name: str) -> str:
    """What stands above the field (or oneof, or service) `name`."""
    text = (PROTOS / f"{file}.proto").read_text()
    if message:
        text = text.partition(f"\nmessage {message} {{\n")[2].partition("\n}\n")[0]
    lines = text.splitlines()
    (at,) = (
        i
        for i, line in enumerate(lines)
        if re.search(rf"(^|\s){name} (= \d|{{)", line) and not line.lstrip().startswith("//")
    )
    first = at
    while lines[first - 1].lstrip().startswith("//"):
        first -= 1
    return " ".join(line.strip(" /") for line in lines[first:at])


@pytest.mark.parametrize(
    ("file", "message", "field", "limits"), TOLD, ids=[f"{m}.{f}" for _, m, f, _ in TOLD]
)
def test_the_comment_names_the_limit(
    file: str, message: str, field: str, limits: tuple[object, ...]
) -> None:
    told = comment(file, message, field)
    for limit in limits:
        assert re.search(rf"(?<![\d.]){re.escape(str(limit))}(?!\d)", told), (limit, told)
