"""The contract's enums and the core's words cover each other."""

from __future__ import annotations

import pytest

from interlingua.v1 import content_pb2, embed_pb2, gateway_service_pb2, generate_pb2
from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.events import FinishReason, Outcome
from interlingua_gateway.core.target import Capability
from interlingua_gateway.core.types import Effort, Modality, Role, ToolMode
from interlingua_gateway.wire.grpc import enums

# Contract's enum, table from its numbers, the core's words, words that no number has.
INWARD = [
    (content_pb2.Role, enums.ROLES, Role, set()),
    (content_pb2.ToolMode, enums.TOOL_MODES, ToolMode, {ToolMode.NAMED}),
    (content_pb2.Modality, enums.MODALITIES, Modality, set()),
    (generate_pb2.ReasoningEffort, enums.EFFORTS, Effort, set()),
    (generate_pb2.ModelCapability, enums.CAPABILITIES, Capability, set()),
]
OUTWARD = [
    (generate_pb2.FinishReason, enums.FINISH_REASONS, FinishReason),
    (generate_pb2.AttemptOutcome, enums.OUTCOMES, Outcome),
    (generate_pb2.ModelCapability, enums.CAPABILITY_NUMBERS, Capability),
]
PLAIN = [
    (content_pb2.MediaDetail, enums.DETAILS),
    (generate_pb2.SafetyCategory, enums.SAFETY_CATEGORIES),
    (generate_pb2.SafetyThreshold, enums.SAFETY_THRESHOLDS),
    (embed_pb2.EmbedTask, enums.EMBED_TASKS),
]


@pytest.mark.parametrize(("contract", "table", "words", "absent"), INWARD)
def test_every_number_has_its_word(contract, table, words, absent):
    assert set(table) | {0} == set(contract.values())
    assert set(table.values()) - {None} == set(words) - absent
    for number, word in table.items():
        if word is not None:
            assert contract.Name(number).endswith(f"_{word.name}")


@pytest.mark.parametrize(("contract", "table", "words"), OUTWARD)
def test_every_word_has_its_number(contract, table, words):
    assert set(table) == set(words)
    assert set(table.values()) | {0} == set(contract.values())


@pytest.mark.parametrize(("contract", "table"), PLAIN)
def test_every_number_has_its_text(contract, table):
    assert set(table) | {0} == set(contract.values())
    for number, text in table.items():
        if text is not None:
            assert contract.Name(number).endswith(f"_{text.upper()}")


def test_every_status_of_health_can_be_said():
    assert set(enums.HEALTH.values()) == set(gateway_service_pb2.HealthStatus.values())


@pytest.mark.parametrize(("number", "text"), [(0, "must be set"), (99, "99"), (-1, "-1")])
def test_an_unknown_number_is_the_callers_fault(number, text):
    with pytest.raises(CallerError, match=text) as caught:
        enums.known(enums.ROLES, number, "role")
    assert caught.value.violations[0].subject == "role"
