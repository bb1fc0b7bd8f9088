"""Health, reflection and channelz are served, and cost calls to other methods nothing."""

from __future__ import annotations

import asyncio

import grpc
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from interlingua_gateway.wire.grpc.health import SERVICE, Health
from interlingua_gateway.wire.grpc.late import channelz, reflection


async def test_they_answer_and_core_waits_for_calls_of_all_methods_at_once(tmp_path):
    server = grpc.aio.server()
    health = Health(["a.B"])
    health.add_to(server)
    server.add_generic_rpc_handlers((reflection(["a.B", SERVICE]), channelz()))
    address = f"unix:{tmp_path}/standard.sock"
    server.add_insecure_port(address)
    await server.start()
    try:
        await health.serving()
        async with grpc.aio.insecure_channel(address) as channel:
            asked = health_pb2.HealthCheckRequest(service="a.B")
            found = await health_pb2_grpc.HealthStub(channel).Check(asked)
            assert found.status == health_pb2.HealthCheckResponse.SERVING
            question = reflection_pb2.ServerReflectionRequest(list_services="")
            reflector = reflection_pb2_grpc.ServerReflectionStub(channel)
            told = await anext(aiter(reflector.ServerReflectionInfo(iter([question]))))
            names = {service.name for service in told.list_services_response.service}
            assert names == {
                "a.B",
                "grpc.health.v1.Health",
                "grpc.reflection.v1alpha.ServerReflection",
            }
            servers = channelz_pb2_grpc.ChannelzStub(channel).GetServers
            assert (await servers(channelz_pb2.GetServersRequest())).server
        # gRPC has one task for each call that it is ready to take, and begins to wait on all of
        # them anew with every call that comes.
        waiting = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
        assert [name for name in waiting if "request" in name] == ["AioServer._request_call"]
    finally:
        await server.stop(0)
