"""Keys of identity providers: what is taken from the network, and what is not."""

from __future__ import annotations

import asyncio
import json

import pytest

from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.policies.token_keys import TokenKeys
from interlingua_gateway.providers.jwks import MAX_BODY_BYTES, TOTAL_TIMEOUT_S, Jwks
from interlingua_gateway.providers.transport.client import HttpClient
from tests.support.calls import until
from tests.support.identity_provider import jwk
from tests.support.manual_clock import ManualClock
from tests.support.upstream import Upstream, Visit, whole

GOOD = {"keys": [{"kid": "a"}, "nonsense", {"kid": "b"}]}


def document(value: object, status: str = "200 OK") -> bytes:
    return whole(json.dumps(value).encode(), status)


class Site:
    """An issuer's site: a response for each path."""

    def __init__(self, **pages: bytes) -> None:
        self.pages = pages

    async def __call__(self, visit: Visit) -> bool:
        name = visit.path.rpartition("/")[2].replace("-", "_").replace("?", "_")
        await visit.send(self.pages.get(name, document({}, "404 Not Found")))
        return True


async def fetched(site: Site, path: str | None = None) -> object:
    """The ids of the keys, or the failure."""
    clock = SystemClock()
    async with Upstream(site) as upstream:
        if "{" in (discovery := site.pages.get("openid_configuration", b"").decode()):
            text = discovery.partition("\r\n\r\n")[2].replace("HERE", upstream.url)
            site.pages["openid_configuration"] = whole(text.encode())
        url = None if path is None else upstream.url + path
        source = Jwks(upstream.url, url, HttpClient(clock=clock), clock)
        try:
            return [key["kid"] for key in await source.fetch()]
        except UpstreamError as error:
            return str(error)
        finally:
            await source.aclose()


def discovery(uri: str, issuer: str = "HERE") -> bytes:
    return document({"issuer": issuer, "jwks_uri": uri})


@pytest.mark.parametrize(
    ("site", "path", "expected"),
    [
        (Site(keys=document(GOOD)), "/keys", ["a", "b"]),
        (Site(keys_p_1=document(GOOD)), "/keys?p_1", ["a", "b"]),
        (Site(openid_configuration=discovery("HERE/keys"), keys=document(GOOD)), None, ["a", "b"]),
        (Site(keys=document({"keys": []})), "/keys", []),
        (Site(), "/keys", "does not send what it should"),
        (Site(keys=document(GOOD, "302 Found")), "/keys", "does not send what it should"),
        (Site(keys=document([])), "/keys", "does not send what it should"),
        (Site(keys=whole(b"<html>")), "/keys", "does not send what it should"),
        (Site(keys=whole(b" " * (MAX_BODY_BYTES + 1))), "/keys", "cannot be reached"),
        (Site(keys=b"SSH-2.0-OpenSSH\r\n\r\n"), "/keys", "cannot be reached"),
        (Site(), None, "does not send what it should"),
        (
            Site(openid_configuration=discovery("HERE/keys", "https://evil"), keys=document(GOOD)),
            None,
            "does not send what it should",
        ),
        (Site(openid_configuration=discovery("http://evil/keys")), None, "does not send what"),
        (Site(openid_configuration=discovery("file:///etc/passwd")), None, "does not send what"),
        (Site(openid_configuration=discovery("http://localhost@evil/")), None, "does not send"),
    ],
)  # fmt: skip
async def test_what_is_taken(site: Site, path: str | None, expected: object) -> None:
    found = await fetched(site, path)
    if isinstance(expected, str):
        assert str(found).startswith(str(Reason.UPSTREAM_UNAVAILABLE))
        assert expected in str(found)
    else:
        assert found == expected


async def test_a_site_that_hangs_is_given_up(clock: ManualClock) -> None:
    came = asyncio.Event()

    async def hang(visit: Visit) -> None:
        came.set()
        await visit.gone()

    async with Upstream(hang) as upstream:
        source = Jwks(upstream.url, f"{upstream.url}/k", HttpClient(clock=clock), clock)
        fetching = asyncio.ensure_future(source.fetch())
        await came.wait()
        clock.advance(TOTAL_TIMEOUT_S + 0.1)
        with pytest.raises(UpstreamError, match="in time"):
            await fetching
        await upstream.none_open()
        await source.aclose()


class Source:
    """Implements KeySource; answers when the test says so."""

    def __init__(self) -> None:
        self.fetches = 0
        self.answers: asyncio.Queue[object] = asyncio.Queue()

    async def fetch(self) -> list[dict[str, object]]:
        self.fetches += 1
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_calls_with_unknown_keys_share_one_fetch_and_wait_two_seconds(
    clock: ManualClock,
) -> None:
    source = Source()
    keys = TokenKeys("i", source, 300, clock)
    waiting = [asyncio.ensure_future(keys.find("ec-1", "ES256")) for _ in range(50)]
    await clock.until_waiting(50)
    source.answers.put_nowait([jwk("ec-1")])
    assert all(await asyncio.gather(*waiting))
    assert source.fetches == 1
    clock.advance(11)
    patient = asyncio.ensure_future(keys.find("ec-2", "ES256"))
    await clock.until_waiting(1)
    clock.advance(2.1)
    assert await patient is None
    assert source.fetches == 2
    source.answers.put_nowait([jwk("ec-1"), jwk("ec-2")])
    await until(lambda: keys.generation == 2)
    assert await keys.find("ec-2", "ES256")
    await keys.aclose()


async def test_which_published_keys_are_taken(clock: ManualClock) -> None:
    source = Source()
    keys = TokenKeys("i", source, 300, clock)
    source.answers.put_nowait(
        [
            jwk("ec-1"),
            jwk("rsa-weak-1"),
            jwk("rsa-1", use="enc"),
            jwk("rsa-2", alg="PS256"),
            {**jwk("ed-1"), "x": "AA"},
            {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
            {"kty": ["EC"], "kid": 7},
        ]
    )
    assert await keys.find("ec-1", "ES256")
    for name, algorithm in (
        ("ec-1", "RS256"), ("ec-1", "ES384"), ("rsa-weak-1", "RS256"), ("rsa-1", "RS256"),
        ("rsa-2", "RS256"), ("ed-1", "EdDSA"), ("shared", "ES256"),
    ):  # fmt: skip
        assert await keys.find(name, algorithm) is None, name
    assert await keys.find("rsa-2", "PS256")
    assert await keys.find("", "ES256")
    assert await keys.find("", "EdDSA") is None
    assert source.fetches == 1
    await keys.aclose()


async def test_an_outage_is_told_at_once_after_the_first_call(clock: ManualClock) -> None:
    source = Source()
    keys = TokenKeys("i", source, 300, clock)
    down = UpstreamError(Reason.UPSTREAM_UNAVAILABLE, "down")
    source.answers.put_nowait(down)
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await keys.find("ec-1", "ES256")
    assert source.fetches == 1
    await keys.aclose()
