"""Whatever bytes come in, what goes out is an answer or an error of the table."""

from __future__ import annotations

import grpc
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlingua.v1 import embed_pb2, gateway_service_pb2, generate_pb2, model_service_pb2
from tests.support.failures import Failure, failure_of
from tests.support.fuzz import messages
from tests.support.gateway import Running, running, scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
OUR_FAULT = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED}

METHODS = {
    "Generate": generate_pb2.GenerateRequest,
    "StreamGenerate": generate_pb2.GenerateRequest,
    "BatchGenerate": generate_pb2.BatchGenerateRequest,
    "CountTokens": generate_pb2.CountTokensRequest,
    "Embed": embed_pb2.EmbedRequest,
    "Health": gateway_service_pb2.HealthRequest,
    "ListModels": model_service_pb2.ListModelsRequest,
    "GetModel": model_service_pb2.GetModelRequest,
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway(tmp_path_factory):
    async with running(scripted(), tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


async def outcome(gateway: Running, name: str, data: bytes) -> None:
    """Send `data`; it must be answered, or refused with an error that blames nobody here."""
    if name in ("StreamGenerate", "BatchGenerate"):
        try:
            async for result in gateway.stream_method(name)(data, timeout=20):
                if name == "BatchGenerate":
                    check_item(generate_pb2.BatchGenerateResponse.FromString(result))
        except grpc.aio.AioRpcError as error:
            check(failure_of(error))
        return
    service = "ModelService" if name in ("ListModels", "GetModel") else "GatewayService"
    try:
        await gateway.method(name, service)(data, timeout=20)
    except grpc.aio.AioRpcError as error:
        check(failure_of(error))


def check(failed: Failure) -> None:
    assert failed.code not in OUR_FAULT, failed.message
    assert failed.reason
    assert failed.metadata["operation_id"].startswith("op_")


def check_item(item: generate_pb2.BatchGenerateResponse) -> None:
    if item.WhichOneof("result") == "error":
        check(Failure(item.error))


@pytest.mark.parametrize("name", METHODS)
@MANY
@given(data=st.data())
async def test_any_message_is_answered_or_refused(gateway, name, data):
    message = data.draw(messages(METHODS[name].DESCRIPTOR))
    await outcome(gateway, name, message.SerializeToString())


@pytest.mark.parametrize("name", METHODS)
@MANY
@given(data=st.data())
async def test_any_bytes_are_answered_or_refused(gateway, name, data):
    whole = data.draw(messages(METHODS[name].DESCRIPTOR, depth=2)).SerializeToString()
    at = data.draw(st.integers(0, len(whole)))
    noise = data.draw(st.binary(max_size=40))
    await outcome(gateway, name, whole[:at] + noise + whole[at + data.draw(st.integers(0, 4)) :])
