"""The bound on concurrent calls, and the standard services that it does not hold for."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from interlingua.v1 import gateway_service_pb2
from interlingua_gateway.wire.grpc.server import SERVICES
from tests.support.failures import failure
from tests.support.gateway import Running, scripted
from tests.support.requests import ask

Status = health_pb2.HealthCheckResponse
Check = health_pb2.HealthCheckRequest


async def reflect(gateway: Running, **request: str) -> reflection_pb2.ServerReflectionResponse:
    stub = reflection_pb2_grpc.ServerReflectionStub(gateway.channel)
    call = stub.ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(**request))
    answer = await call.read()
    await call.done_writing()
    return answer


async def test_one_call_too_many_is_refused_and_health_and_reflection_are_not(start):
    tree = {**scripted(hang=[{"do": "say", "text": "x"}, {"do": "hang"}])}
    gateway = await start({**tree, "server": {"max_concurrent_calls": 2}})
    health = health_pb2_grpc.HealthStub(gateway.channel)
    watch = health.Watch(Check())
    await watch.read()
    held = [gateway.calls.StreamGenerate(ask(model="hang")) for _ in range(2)]
    for call in held:
        await call.read()
    for call in (gateway.calls.Generate(ask()), gateway.calls.StreamGenerate(ask())):
        failed = await failure(call)
        assert (failed.code, failed.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert failed.retry_s == 1
        assert failed.metadata["max_concurrent_calls"] == "2"
        assert failed.details["QuotaFailure"].violations[0].subject == "max_concurrent_calls"
    assert (await health.Check(Check())).status == Status.SERVING
    assert (await gateway.calls.Health(gateway_service_pb2.HealthRequest())).version
    assert (await reflect(gateway, list_services="")).list_services_response.service
    held[0].cancel()
    while gateway.in_flight == 2:
        await health.Check(Check())
    assert (await gateway.calls.Generate(ask("room again"))).candidates
    held[1].cancel()
    watch.cancel()
    await asyncio.wait_for(gateway.built.grpc.front.drained(), 1)


async def test_the_bound_counts_calls_and_not_what_was_refused(start):
    gateway = await start({**scripted(), "server": {"max_concurrent_calls": 1}})
    for _ in range(20):
        await gateway.calls.Generate(ask())
        await failure(gateway.calls.Generate(ask(model="none")))
    assert gateway.in_flight == 0


async def test_every_service_has_a_health_of_its_own(start):
    gateway = await start(scripted())
    health = health_pb2_grpc.HealthStub(gateway.channel)
    names = ["", *(service.full_name for service in SERVICES)]
    watches = {name: health.Watch(Check(service=name)) for name in names}
    for name, watch in watches.items():
        assert (await watch.read()).status == Status.SERVING
        assert (await health.Check(Check(service=name))).status == Status.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(Check(service="nothing"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    await gateway.built.grpc.not_serving()
    for name, watch in watches.items():
        assert (await watch.read()).status == Status.NOT_SERVING
        assert (await health.Check(Check(service=name))).status == Status.NOT_SERVING
        watch.cancel()
    assert (await gateway.calls.Generate(ask("still served"))).candidates


async def test_reflection_tells_the_whole_contract(start):
    gateway = await start(scripted())
    listed = (await reflect(gateway, list_services="")).list_services_response.service
    names = {service.name for service in listed}
    assert {service.full_name for service in SERVICES} <= names
    assert "grpc.health.v1.Health" in names
    symbol = "interlingua.v1.GatewayService"
    answer = await reflect(gateway, file_containing_symbol=symbol)
    assert answer.file_descriptor_response.file_descriptor_proto


async def test_channelz_shows_the_server(start):
    gateway = await start(scripted())
    await gateway.calls.Generate(ask())
    stub = channelz_pb2_grpc.ChannelzStub(gateway.channel)
    servers = (await stub.GetServers(channelz_pb2.GetServersRequest())).server
    assert any(server.data.calls_succeeded >= 1 for server in servers)


async def test_reflection_and_channelz_can_be_switched_off(start):
    gateway = await start({**scripted(), "server": {"reflection": False, "channelz": False}})
    stub = channelz_pb2_grpc.ChannelzStub(gateway.channel)
    for call in (
        stub.GetServers(channelz_pb2.GetServersRequest()),
        reflect(gateway, list_services=""),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
