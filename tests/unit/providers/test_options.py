"""What callers may and may not put into a provider's request themselves."""

from __future__ import annotations

import json

import msgspec
import pytest

from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.types import EmbedRequest, GenerateRequest
from interlingua_gateway.providers.options import options_of
from tests.support.calls import ask, embed


def with_options(
    options: object, request: GenerateRequest | EmbedRequest
) -> GenerateRequest | EmbedRequest:
    return msgspec.structs.replace(request, provider_options_json=json.dumps(options))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"n": 4}, "sampling.candidate_count"),
        ({"best_of": 4}, "sampling.candidate_count"),
        ({"num_generations": 4}, "sampling.candidate_count"),
        ({"generationConfig": {"candidateCount": 4}}, "sampling.candidate_count"),
        ({"a": 1, "max_tokens": 4}, "sampling.max_output_tokens"),
        ({"Max-Tokens": 4}, "sampling.max_output_tokens"),
        ({"max_completion_tokens": None}, "sampling.max_output_tokens"),
        ({"generation_config": {"maxOutputTokens": 4}}, "sampling.max_output_tokens"),
        ({"options": {"num_predict": -1}}, "sampling.max_output_tokens"),
    ],
)
def test_what_limits_and_budgets_reckon_with_has_fields(options: object, field: str) -> None:
    with pytest.raises(CallerError) as caught:
        options_of(with_options(options, ask()))
    assert caught.value.reason is Reason.INVALID_REQUEST
    [violation] = caught.value.violations
    assert violation.subject == "provider_options_json"
    assert f"set `{field}`" in violation.description


@pytest.mark.parametrize(
    "options",
    [
        {"service_tier": "flex", "temperature": 2},
        {"reasoning": {"max_tokens": 100}},
        {"guided_json": {"properties": {"n": {"type": "integer"}}}},
        {"options": {"num_ctx": 4096}},
    ],
)
def test_everything_else_passes(options: object) -> None:
    assert options_of(with_options(options, ask())) == options


def test_vectors_have_no_answers_to_count() -> None:
    """Cohere's `max_tokens` of an embedding is of its input."""
    assert options_of(with_options({"max_tokens": 9}, embed("a"))) == {"max_tokens": 9}


def test_no_options_are_none() -> None:
    assert options_of(ask()) == {}
