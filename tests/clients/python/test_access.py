"""Keys and tenants through both clients, against the real gateway."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from interlingua import AsyncClient, AuthenticationError, Client, NotFoundError
from interlingua.access import new_key
from interlingua.v1.admin_service_pb2 import SCOPE_INFERENCE, SCOPE_USAGE, Tenant
from tests.clients.python.conftest import Blocking
from tests.support.gateway import running, scripted

ADMIN = "adm-0123456789abcdef0123456789abcdef"


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    tree = {**scripted(), "auth": {"admin_key": "env:ADMIN", "anonymous": []}}
    async with running(tree, tmp_path, environment={"ADMIN": ADMIN}) as gateway:
        yield gateway.address


@pytest.fixture(params=["blocking", "aio"])
async def opened(request, address: str) -> AsyncIterator[Callable[[str], object]]:
    """Makes a client with a key; closed at the end."""
    clients = []

    def make(api_key: str) -> object:
        kind = AsyncClient if request.param == "aio" else Client
        clients.append(kind(address, api_key=api_key))
        return clients[-1]

    yield make
    for client in clients:
        if request.param == "aio":
            await client.aclose()
        else:
            client.close()


def face(thing: object) -> object:
    """Awaitable, whichever client it belongs to."""
    is_aio = type(thing).__name__.startswith("Async")
    return thing if is_aio else Blocking(thing)


async def test_the_life_of_a_key(opened) -> None:
    access = face(opened(ADMIN).access)
    tenant = await access.put_tenant(Tenant(id="acme", tier="gold"))
    assert tenant.HasField("created_at")
    wish = new_key(
        "acme", name="n", scopes=("inference", "usage"), models=("echo",), ttl=timedelta(days=1)
    )
    key, secret = await access.create_key(wish)
    assert list(key.scopes) == [SCOPE_INFERENCE, SCOPE_USAGE]
    assert key.expires_at.seconds - key.created_at.seconds == 86_400
    assert (await face(opened(secret)).generate("hi", "echo")).text == "hi"
    again, newer = await access.rotate_key(key.id, timedelta(0))
    assert again == key
    with pytest.raises(AuthenticationError):
        await face(opened(secret)).generate("hi", "echo")
    assert (await face(opened(newer)).generate("hi", "echo")).text == "hi"
    assert [found.id for found in await access.keys("acme")] == [key.id]
    assert (await access.revoke_key(key.id)).HasField("revoked_at")
    assert await access.keys() == []
    assert len(await access.keys(ended=True)) == 1
    assert [found.id for found in await access.tenants()] == ["acme"]
    await access.delete_tenant("acme")
    with pytest.raises(NotFoundError):
        await access.delete_tenant("acme")


async def test_lists_of_several_pages(opened) -> None:
    access = face(opened(ADMIN).access)
    for number in range(101):
        await access.put_tenant(Tenant(id=f"t{number:03}"))
        await access.create_key(new_key(f"t{number:03}"))
    assert [found.id for found in await access.tenants()] == [f"t{n:03}" for n in range(101)]
    keys = await access.keys()
    assert len({key.id for key in keys}) == 101
    made = [key.created_at.ToNanoseconds() for key in keys]
    assert made == sorted(made, reverse=True)


def test_a_scope_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="SCOPE_ROOT"):
        new_key(scopes=("root",))
