"""Credentials of every kind over real gRPC: status, reason, audit line, no secret; and a fuzzer."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import NamedTuple

import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.credentials import (
    ADMIN,
    DENIED,
    INVALID,
    MISSING,
    UNKNOWN,
    Metadata,
    Stage,
    bearer,
    refused,
    staged,
)
from tests.support.identity_provider import NOW_S, IdentityProvider, forged, key
from tests.support.manual_clock import ManualClock

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = settings(max_examples=300, deadline=None, derandomize=True, database=None)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(tmp_path_factory.mktemp("gateway"), ManualClock()) as stage:
        yield stage


@pytest.mark.parametrize(
    ("metadata", "reason", "why"),
    [
        ((), MISSING, "no credentials"),
        ((("authorization", ""),), INVALID, "empty"),
        ((("authorization", "Basic dXNlcjpwYXNzd29yZA=="),), INVALID, "empty"),
        ((("x-api-key", ""),), INVALID, "empty"),
        (bearer(UNKNOWN), INVALID, "unknown key"),
        (bearer("il_"), INVALID, "not in the form of a key"),
        (bearer(UNKNOWN[:-1]), INVALID, "not in the form of a key"),
        (bearer(UNKNOWN + "y"), INVALID, "not in the form of a key"),
        (bearer(UNKNOWN.upper()), INVALID, "not a token"),
        (bearer("IL_" + UNKNOWN[3:]), INVALID, "not a token"),
        (bearer(ADMIN[:-1]), INVALID, "not a token"),
        (bearer(ADMIN + "0"), INVALID, "not a token"),
        (bearer("z" * 7000), INVALID, "not a token"),
        (bearer(UNKNOWN) + bearer(UNKNOWN), INVALID, "several credentials"),
        ((*bearer(ADMIN), ("x-api-key", ADMIN)), INVALID, "several credentials"),
        (bearer("a.b.c"), INVALID, "not a token"),
        (bearer("e30.e30."), INVALID, "unknown issuer"),
    ],
)  # fmt: skip
async def test_what_opens_nothing(stage: Stage, metadata: Metadata, reason: str, why: str) -> None:
    named = UNKNOWN.split("_")[1] if why == "unknown key" else ""
    await refused(stage, metadata, reason, why, named)


Forge = Callable[[IdentityProvider], str]


def _confused(provider: IdentityProvider) -> str:
    """Signed with HMAC, whose secret is the public key that everybody knows."""
    pem = key("rsa-1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return forged({"alg": "HS256", "kid": "rsa-1", "typ": "JWT"}, provider.claims(), pem)


def _tampered(provider: IdentityProvider) -> str:
    head, _, signature = provider.token().split(".")
    return f"{head}.{forged({}, provider.claims(sub='eve')).split('.')[1]}.{signature}"


FORGERIES: Mapping[str, tuple[Forge, str, str]] = {
    "expired": (lambda p: p.token(exp=NOW_S - 31), INVALID, "expired"),
    "not valid yet": (lambda p: p.token(nbf=NOW_S + 31), INVALID, "not valid yet"),
    "issued later": (lambda p: p.token(iat=NOW_S + 31), INVALID, "not valid yet"),
    "endless": (lambda p: p.token(exp=None), INVALID, "MissingRequiredClaimError"),
    "infinite": (lambda p: p.token(exp=float("inf")), INVALID, "exp is not a time"),
    "beyond numbers": (lambda p: p.token(exp=10**400), INVALID, "exp is not a time"),
    "end in words": (lambda p: p.token(exp="later"), INVALID, "exp is not a time"),
    "other audience": (lambda p: p.token(aud="somebody"), INVALID, "wrong audience"),
    "no audience": (lambda p: p.token(aud=None), INVALID, "MissingRequiredClaimError"),
    "other issuer": (lambda p: p.token(iss="https://evil"), INVALID, "unknown issuer"),
    "no issuer": (lambda p: p.token(iss=None), INVALID, "unknown issuer"),
    "issuer with a slash": (lambda p: p.token(iss=p.issuer + "/"), INVALID, "unknown issuer"),
    "unknown key": (lambda p: p.token("ec-2"), INVALID, "unknown signing key"),
    "another's key": (lambda p: p.token("ec-2", kid="ec-1"), INVALID, "wrong signature"),
    "key of another kind": (lambda p: p.token("rsa-1", kid="ec-1"), INVALID, "unknown signing key"),
    "no signature": (
        lambda p: forged({"alg": "none", "kid": "ec-1"}, p.claims()), INVALID, "algorithm",
    ),
    "HMAC by the public key": (_confused, INVALID, "algorithm"),
    "HMAC by a published secret": (
        lambda p: forged({"alg": "HS256", "kid": "shared"}, p.claims(), b"secret"),
        INVALID,
        "algorithm",
    ),
    "its own key in the header": (
        lambda p: forged({"alg": "ES256", "jwk": {"kty": "EC"}}, p.claims(), b"x"),
        INVALID,
        "wrong signature",
    ),
    "critical header": (
        lambda p: forged({"alg": "ES256", "kid": "ec-1", "crit": ["exp"]}, p.claims(), b"x"),
        INVALID,
        "not a token",
    ),
    "tampered": (_tampered, INVALID, "wrong signature"),
    "foreign tenant": (lambda p: p.token(org={"id": "evil"}), DENIED, "foreign tenant evil"),
    "no tenant": (lambda p: p.token(org={}), INVALID, "no tenant"),
    "tenant of spaces": (lambda p: p.token(org={"id": "ac me"}), INVALID, "claim org.id"),
    "tenant of lines": (lambda p: p.token(org={"id": "acme\n"}), INVALID, "claim org.id"),
    "tenant that is a list": (lambda p: p.token(org={"id": ["acme"]}), INVALID, "claim org.id"),
    "no scope": (lambda p: p.token(scope="openid"), DENIED, "needs the scope inference"),
    "scope without its prefix": (
        lambda p: p.token(scope="inference"), DENIED, "needs the scope inference",
    ),
    "scope beyond the issuer's": (
        lambda p: p.token(scope="llm:admin"), DENIED, "needs the scope inference",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_token_that_opens_nothing(stage: Stage, name: str) -> None:
    forge, reason, why = FORGERIES[name]
    await refused(stage, bearer(forge(stage.provider)), reason, why)


class Doors(NamedTuple):
    """A gateway and all that opens it."""

    stage: Stage
    tokens: frozenset[str]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def doors(stage: Stage) -> Doors:
    _, good = await stage.key(tenant_id="acme")
    return Doors(stage, frozenset({good, ADMIN, stage.provider.token()}))


PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)


@st.composite
def nearly(draw: st.DrawFn, tokens: list[str]) -> str:
    """A token, or one in which something is other, left out, put in, twice, or of another."""
    token = draw(st.sampled_from(tokens))
    first, last = sorted((draw(st.integers(0, len(token))), draw(st.integers(0, len(token)))))
    other = draw(st.sampled_from(tokens))
    middle = draw(
        st.one_of(
            st.just(token[first:last]),
            st.just(token[first:last].swapcase()),
            st.just(other[first:last]),
            st.text(PRINTABLE, max_size=8),
        )
    )
    return token[:first] + middle + token[last:]


@st.composite
def metadata_of(draw: st.DrawFn, tokens: list[str]) -> Metadata:
    entries: list[tuple[str, str]] = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(["authorization", "x-api-key", "cookie", "x-user", "tenant"]))
        scheme = draw(st.sampled_from(["Bearer ", "bearer ", "", "Basic ", "Bearer", "Bearer  "]))
        token = draw(st.one_of(nearly(tokens), st.text(PRINTABLE, max_size=60)))
        entries.append((name, scheme + token))
    return tuple(entries)


def opens(metadata: Metadata, tokens: frozenset[str]) -> bool:
    """Whether `metadata` has one credential, and that a right one; written for this test alone."""
    shown = [(name, value) for name, value in metadata if name in ("authorization", "x-api-key")]
    if len(shown) != 1:
        return False
    ((name, value),) = shown
    words = value.split(" ", 1) if name == "authorization" else ["bearer", value]
    if len(words) != 2 or words[0].lower() != "bearer":
        return False
    return canonical(words[1].strip()) in map(canonical, tokens)


def canonical(token: str) -> str:
    """`token`; without the bits of the last character of a signature that say nothing."""
    body, dot, signature = token.rpartition(".")
    if not dot or not re.fullmatch(r"[\w-]+", signature, re.ASCII) or len(signature) % 4 == 1:
        return token
    decoded = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    return f"{body}.{decoded.hex()}"


@MANY
@given(data=st.data())
async def test_nothing_else_opens(doors: Doors, data: st.DataObject) -> None:
    metadata = data.draw(metadata_of(sorted(doors.tokens)))
    if opens(metadata, doors.tokens):
        assert await doors.stage.says(metadata) == "hi"
    else:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await doors.stage.says(metadata)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
