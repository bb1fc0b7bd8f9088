"""What the outermost policy measures and writes down."""

from __future__ import annotations

import logging

import pytest

from interlingua_gateway.app.stack import stack
from interlingua_gateway.core.call import Call, ending_of
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.events import Finish, FinishReason, TextDelta, Usage, UsageUpdate
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import EmbedRequest, GenerateRequest
from interlingua_gateway.core.wishes import Caller
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.observe import Observe
from interlingua_gateway.telemetry.metrics import Metrics
from tests.unit.policies.test_account import Batches

LABELS = {
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "p",
    "gen_ai_request_model": "label",
}
TARGET = Target(deployment="d", provider="p", model="m", label="label")
START = Start("d", "p", "m")


def a_call(clock, request=None) -> Call:
    request = request or GenerateRequest(model="from the caller", messages=())
    return Call(request, call_id="op_1", method="Generate", started=clock.monotonic())


async def served(call: Call, clock, reply: Reply | BaseException) -> Metrics:
    """The metrics after `call` got `reply` 2 s after its start and ended 4 s later."""
    metrics = Metrics()

    async def innermost(_: Call) -> Reply:
        clock.advance(2)
        if isinstance(reply, BaseException):
            raise reply
        call.target = TARGET
        return reply

    failure = None
    try:
        answer = await stack((Observe(metrics, clock), Account()), innermost)(call)
        async for _ in answer:
            pass
    except CallerError as error:
        failure = error
    clock.advance(4)
    call.end(ending_of(failure, clock.monotonic() - call.started))
    return metrics


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {**LABELS, **labels})


@pytest.mark.parametrize("measured", [True, False])
async def test_a_stream(clock, measured):
    last = (UsageUpdate(Usage(10, 5)),) if measured else (TextDelta(0, "x" * 19),)
    reply = Reply(START, (TextDelta(0, "a"),), Batches(last))
    metrics = await served(a_call(clock), clock, reply)
    assert sample(metrics, "gen_ai_server_request_duration_seconds_sum", error_type="") == 6
    assert sample(metrics, "gen_ai_server_time_to_first_token_seconds_sum") == 2
    assert sample(metrics, "gen_ai_server_time_per_output_token_seconds_sum") == 1
    tokens = {"gen_ai_token_type": "output"}
    assert sample(metrics, "gen_ai_client_token_usage_sum", **tokens) == 5
    assert sample(metrics, "interlingua_estimated_usage_calls_total") == (None if measured else 1)


async def test_a_whole_answer_has_no_first_token(clock):
    whole = (TextDelta(0, "a"), Finish(0, FinishReason.STOP), UsageUpdate(Usage(10, 5)))
    metrics = await served(a_call(clock), clock, Reply(START, whole))
    assert sample(metrics, "gen_ai_server_request_duration_seconds_count", error_type="") == 1
    assert sample(metrics, "gen_ai_server_time_to_first_token_seconds_count") is None


async def test_a_refusal_is_labelled_by_its_reason_and_by_nothing_of_the_caller(clock, caplog):
    request = EmbedRequest(model="from the caller", inputs=())
    with caplog.at_level(logging.DEBUG, "interlingua.call"):
        call = a_call(clock, request)
        call.caller = Caller(tenant="acme", key="debe2b84")
        metrics = await served(call, clock, CallerError(Reason.MODEL_NOT_FOUND, "x"))
    labels = {
        "gen_ai_operation_name": "embeddings",
        "gen_ai_provider_name": "none",
        "gen_ai_request_model": "none",
        "error_type": "MODEL_NOT_FOUND",
    }
    assert sample(metrics, "gen_ai_server_request_duration_seconds_count", **labels) == 1
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.fields["operation_id"] == "op_1"
    assert (record.fields["outcome"], record.fields["reason"]) == ("failed", "MODEL_NOT_FOUND")
    assert record.fields["duration_s"] == 6
    assert record.fields["deployment"] == ""
    asked = {name: record.fields[name] for name in ("model", "tenant", "key")}
    assert asked == {"model": "from the caller", "tenant": "acme", "key": "debe2b84"}
