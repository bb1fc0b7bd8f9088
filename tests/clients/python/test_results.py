"""The views of the contract's responses."""

import pytest

from interlingua import GenerateResult
from interlingua.v1.content_pb2 import Message, Part, Reasoning, Role, ToolCall
from interlingua.v1.generate_pb2 import (
    AnsweredBy,
    CallReport,
    Candidate,
    Cost,
    Finish,
    FinishReason,
    GenerateResponse,
    Usage,
    Warning,
)


def test_views():
    call = ToolCall(id="1", name="f", arguments_json="{}")
    parts = [
        Part(reasoning=Reasoning(text="hm", signature=b"s")),
        Part(text="a"),
        Part(tool_call=call),
        Part(text="b"),
    ]
    warning = Warning(field="sampling.top_k", description="left out")
    result = GenerateResult(
        GenerateResponse(
            operation_id="op",
            answered_by=AnsweredBy(model="gpt"),
            candidates=[Candidate(parts=parts), Candidate(index=1, parts=[Part(text="c")])],
            usage=Usage(input_tokens=3),
            cost=Cost(cost_nano_usd=0),
            report=CallReport(warnings=[warning]),
        )
    )
    assert result.text == "ab"
    assert result.reasoning == "hm"
    assert result.tool_calls == [call]
    assert result.message == Message(role=Role.ROLE_ASSISTANT, parts=parts)
    assert result.model == "gpt"
    assert result.usage.input_tokens == 3
    assert result.cost_usd == 0.0
    assert list(result.warnings) == [warning]


def test_an_unknown_price_is_not_free():
    assert GenerateResult(GenerateResponse()).cost_usd is None
    assert GenerateResult(GenerateResponse()).cost_nano_usd is None


def test_no_candidates():
    result = GenerateResult(GenerateResponse())
    assert result.text == ""
    assert result.tool_calls == []
    assert result.finish_reason == "unspecified"


@pytest.mark.parametrize("number", [*FinishReason.values(), 99])
def test_finish_reasons(number):
    candidate = Candidate(finish=Finish(reason=number))
    reason = GenerateResult(GenerateResponse(candidates=[candidate])).finish_reason
    if number == 99:
        assert reason == "other"
    else:
        assert f"FINISH_REASON_{reason.upper()}" == FinishReason.Name(number)
