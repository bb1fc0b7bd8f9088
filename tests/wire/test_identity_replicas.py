"""Several gateways on one database: changes reach all, rotation drops no call, outages pass."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
from google.protobuf.duration_pb2 import Duration

from interlingua.v1 import admin_service_pb2 as pb
from interlingua.v1 import admin_service_pb2_grpc
from interlingua_gateway.policies.known_identities import POLL_S
from tests.support.calls import until
from tests.support.credentials import ADMIN, bearer
from tests.support.failures import failure
from tests.support.gateway import Running, running, scripted
from tests.support.manual_clock import ManualClock
from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.requests import ask

CALLERS = 8


def tree(url: str) -> dict[str, object]:
    auth = {"admin_key": "env:ADMIN", "anonymous": []}
    return {**scripted(), "auth": auth, "database": {"url": url, "statement_timeout_s": 5}}


async def gateways(
    stack: AsyncExitStack, url: str, directory: Path, clock: ManualClock, count: int = 2
) -> list[Running]:
    found = []
    for number in range(count):
        own = directory / str(number)
        own.mkdir()
        entered = running(tree(url), own, clock, {"ADMIN": ADMIN})
        found.append(await stack.enter_async_context(entered))
    return found


def admin_of(gateway: Running) -> admin_service_pb2_grpc.AdminServiceStub:
    return admin_service_pb2_grpc.AdminServiceStub(gateway.channel)


async def new_key(gateway: Running) -> pb.CreateApiKeyResponse:
    return await admin_of(gateway).CreateApiKey(pb.CreateApiKeyRequest(), metadata=bearer(ADMIN))


async def reason(gateway: Running, token: str) -> str:
    """Why a call with `token` is refused; empty if it is not."""
    try:
        await gateway.calls.Generate(ask(), metadata=bearer(token))
    except grpc.aio.AioRpcError as error:
        return str(error.details())
    return ""


async def polled(gateway: Running, clock: ManualClock) -> None:
    """Time passes until `gateway` asks what has changed, and it has learned that."""
    reading = gateway.built.identities.known._refreshing
    clock.advance(POLL_S)
    await until(reading.locked)
    await until(lambda: not reading.locked())


async def test_a_change_reaches_every_gateway_within_two_seconds(
    postgres: PostgresServer, tmp_path: Path, clock: ManualClock
) -> None:
    async with AsyncExitStack() as stack:
        one, two = await gateways(stack, postgres.new_database(), tmp_path, clock)
        made = await new_key(one)
        assert await reason(one, made.secret) == ""
        assert "not valid" in await reason(two, made.secret)
        await polled(two, clock)
        assert await reason(two, made.secret) == ""
        revocation = pb.RevokeApiKeyRequest(id=made.api_key.id)
        await admin_of(two).RevokeApiKey(revocation, metadata=bearer(ADMIN))
        assert "revoked" in await reason(two, made.secret)
        await polled(one, clock)
        assert "revoked" in await reason(one, made.secret)


async def test_rotation_under_load_drops_no_call(
    postgres: PostgresServer, tmp_path: Path, clock: ManualClock
) -> None:
    """Callers of two gateways change over to the new secret whenever they like."""
    async with AsyncExitStack() as stack:
        pair = await gateways(stack, postgres.new_database(), tmp_path, clock)
        made = await new_key(pair[0])
        await polled(pair[1], clock)
        tokens, served, over = [made.secret], [0] * CALLERS, False

        async def call(number: int) -> None:
            while not over:
                gateway, token = pair[number % 2], tokens[-1 if number % 4 else 0]
                await gateway.calls.Generate(ask(), metadata=bearer(token))
                served[number] += 1

        callers = [asyncio.ensure_future(call(number)) for number in range(CALLERS)]
        rotation = pb.RotateApiKeyRequest(id=made.api_key.id, overlap=Duration(seconds=600))
        rotated = await admin_of(pair[0]).RotateApiKey(rotation, metadata=bearer(ADMIN))
        await polled(pair[1], clock)
        tokens.append(rotated.secret)
        before = list(served)
        await until(lambda: all(now > then + 3 for now, then in zip(served, before, strict=True)))
        over = True
        await asyncio.gather(*callers)


async def test_without_a_database_the_known_keys_stay_in_force(
    tmp_path: Path, clock: ManualClock
) -> None:
    with postgres_server() as server:
        async with AsyncExitStack() as stack:
            url = server.new_database()
            (gateway,) = await gateways(stack, url, tmp_path, clock, count=1)
            made = await new_key(gateway)
            server.stop()
            clock.advance(2.0)
            assert await reason(gateway, made.secret) == ""
            assert gateway.built.ready
            failed = await failure(
                admin_of(gateway).RevokeApiKey(
                    pb.RevokeApiKeyRequest(id=made.api_key.id), metadata=bearer(ADMIN)
                )
            )
            assert (failed.code, failed.reason) == (
                grpc.StatusCode.UNAVAILABLE,
                "STORE_UNAVAILABLE",
            )
            assert failed.retry_s
            server.start()
            revocation = pb.RevokeApiKeyRequest(id=made.api_key.id)
            await admin_of(gateway).RevokeApiKey(revocation, metadata=bearer(ADMIN))
            assert "revoked" in await reason(gateway, made.secret)


async def test_a_gateway_without_its_database_is_not_ready(
    tmp_path: Path, clock: ManualClock
) -> None:
    """It cannot tell a good key from a bad one yet: neither is refused for good."""
    with postgres_server() as server:
        url = server.new_database()
        server.stop()
        starting = running(tree(url), tmp_path, clock, {"ADMIN": ADMIN})
        entering = asyncio.ensure_future(starting.__aenter__())
        channel = grpc.aio.insecure_channel(f"unix:{tmp_path}/gateway.sock")
        method = channel.unary_unary("/interlingua.v1.GatewayService/Generate")
        token = "il_" + "0" * 16 + "_" + "y" * 43
        call = method(ask().SerializeToString(), metadata=bearer(token), wait_for_ready=True)
        assert (await failure(call)).reason == "STORE_UNAVAILABLE"
        assert not entering.done()
        server.start()
        while not entering.done():
            clock.advance(POLL_S)
            await asyncio.wait({entering}, timeout=0.05)
        gateway = await entering
        try:
            assert "not valid" in await reason(gateway, token)
        finally:
            await channel.close()
            await starting.__aexit__(None, None, None)
