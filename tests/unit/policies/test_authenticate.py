"""What an unknown key costs, what names in certificates mean, and how copies stay fresh."""

from __future__ import annotations

import asyncio
from hmac import compare_digest as really_compare

import pytest

from interlingua_gateway.core.errors import CallerError, PolicyError, Reason
from interlingua_gateway.core.identities import (
    ApiKey,
    Changes,
    Tenant,
    digest,
    new_secret,
    token_of,
)
from interlingua_gateway.core.identity import Certificate, Identity, Scope
from interlingua_gateway.policies import authenticate_keys
from interlingua_gateway.policies.authenticate_certificates import CertificateRule, Certificates
from interlingua_gateway.policies.authenticate_keys import ApiKeys
from interlingua_gateway.policies.known_identities import KnownIdentities
from interlingua_gateway.store.sql.failures import DatabaseDown
from tests.support.calls import until
from tests.support.manual_clock import ManualClock

SECRETS = [new_secret(lambda count, n=n: bytes([n]) * count) for n in range(4)]


def keys(*found: ApiKey, tenants: tuple[Tenant, ...] = ()) -> KnownIdentities:
    known = KnownIdentities("default")
    known.learn(Changes(revision=1, whole=True, keys=found, tenants=tenants))
    return known


def key(number: int = 0, **fields: object) -> ApiKey:
    return ApiKey(
        id=f"{number:016x}", created_at_s=0.0, secret_sha256=digest(SECRETS[number]), **fields
    )


def outcome(known: KnownIdentities, token: str, now_s: float = 100.0) -> str:
    try:
        return ApiKeys(known).identify(token, now_s).caller.key
    except CallerError as error:
        return error.message


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        (key().id, SECRETS[0]),
        (key().id, SECRETS[1]),
        (key(2).id, SECRETS[2]),
        (key(3).id, SECRETS[3]),
        ("f" * 16, SECRETS[0]),
    ],
    ids=["right", "wrong", "revoked", "rotated", "unknown"],
)
def test_every_key_costs_the_same_comparisons(
    monkeypatch: pytest.MonkeyPatch, name: str, secret: str
) -> None:
    """One digest of 43 characters, and two comparisons of 32 bytes in constant time each."""
    seen: list[object] = []

    def compare(one: bytes, other: bytes) -> bool:
        seen.append(("compare", len(one), len(other)))
        return really_compare(one, other)

    def hashed(text: str) -> bytes:
        seen.append(("digest", len(text)))
        return digest(text)

    monkeypatch.setattr(authenticate_keys, "compare_digest", compare)
    monkeypatch.setattr(authenticate_keys, "digest", hashed)
    rotated = key(3, previous_sha256=digest(SECRETS[1]), previous_until_s=200.0)
    known = keys(key(), key(2, revoked_at_s=50.0), rotated)
    outcome(known, token_of(name, secret))
    assert seen == [("digest", 43), ("compare", 32, 32), ("compare", 32, 32)]


def test_an_unknown_key_and_a_wrong_secret_are_told_the_same() -> None:
    known = keys(key())
    wrong, unknown = token_of(key().id, SECRETS[1]), token_of("f" * 16, SECRETS[0])
    assert outcome(known, wrong) == outcome(known, unknown) == "The credentials are not valid."


def test_no_secret_has_the_digest_of_no_secret() -> None:
    """A key that was never rotated has no second secret, and no id is that of no key."""
    known = keys(key())
    for secret in ("1" * 43, SECRETS[1]):
        assert outcome(known, token_of(key().id, secret)) == "The credentials are not valid."
    assert "valid" in outcome(known, "il__" + SECRETS[0])


def test_keys_that_were_not_read_yet_are_not_the_callers_fault() -> None:
    with pytest.raises(PolicyError) as caught:
        ApiKeys(KnownIdentities("default")).identify(token_of(key().id, SECRETS[0]), 0.0)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert caught.value.retry_after_s == 1.0


def test_tiers_and_models_come_from_the_tenant() -> None:
    gold = Tenant(id="acme", tier="gold", models=("a", "b"))
    known = keys(key(tenant="acme", models=("b", "c")), key(1), tenants=(gold, Tenant(id="plain")))
    caller = ApiKeys(known).identify(token_of(key().id, SECRETS[0]), 0.0).caller
    assert (caller.tenant, caller.tier) == ("acme", "gold")
    assert [name for name in "abc" if caller.models.covers(name, name)] == ["b"]
    assert known.identity(key(1)).caller.tier == "default"
    assert known.caller("plain").tier == "default"
    known.learn(Changes(revision=2, tenants=(Tenant(id="acme", tier="free"),)))
    assert ApiKeys(known).identify(token_of(key().id, SECRETS[0]), 0.0).caller.tier == "free"


def test_a_user_of_the_credentials_wins() -> None:
    known = keys()
    assert Identity(caller=known.caller("t", user="ada")).calling_for("eve").user == "ada"
    assert Identity(caller=known.caller("t")).calling_for("eve").user == "eve"
    assert Identity(caller=known.caller("t")).calling_for("").user == ""


def who(certificate: Certificate, *rules: CertificateRule) -> tuple[str, str, str] | None:
    found = Certificates(rules, keys()).identify(certificate)
    return None if found is None else (found.tenant, found.caller.project, found.caller.user)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("spiffe://td/ns/*/sa/x", "spiffe://td/ns/a/sa/x", ("t", "", "")),
        ("spiffe://td/ns/*/sa/x", "spiffe://td/ns/a/b/sa/x", None),
        ("spiffe://td/ns/*/sa/x", "spiffe://td/ns//sa/x", None),
        ("spiffe://td/ns/*/sa/x", "spiffe://td/ns/a/sa/xy", None),
        ("spiffe://td/ns/*/sa/x", "spiffe://td/ns/a/sa/x\n", None),
        ("spiffe://td/ns/*/sa/x", "xspiffe://td/ns/a/sa/x", None),
        ("spiffe://t.d/a", "spiffe://tXd/a", None),
        ("spiffe://td/{tenant}/{project}/{user}", "spiffe://td/a/b/c", ("a", "b", "c")),
    ],
)
def test_patterns_of_uris(pattern: str, name: str, expected: object) -> None:
    rule = CertificateRule(uri=pattern, tenant="t")
    assert who(Certificate(uris=("spiffe://other", name)), rule) == expected


def test_other_names_of_certificates() -> None:
    dns = CertificateRule(dns="*.{tenant}.example")
    name = CertificateRule(common_name="batch", tenant="b", user="robot")
    assert who(Certificate(dns=("x.acme.example",)), dns) == ("acme", "", "")
    assert who(Certificate(dns=("x.y.acme.example",)), dns) is None
    assert who(Certificate(uris=("x.acme.example",)), dns) is None
    assert who(Certificate(common_name="batch"), dns, name) == ("b", "", "robot")
    assert who(Certificate(), dns, name) is None
    scoped = CertificateRule(dns="a", tenant="t", scopes=frozenset({Scope.USAGE}))
    found = Certificates([scoped], keys()).identify(Certificate(dns=("a",)))
    assert found is not None
    assert found.scopes == {Scope.USAGE}


class Feed:
    """Implements IdentityFeed; answers what the test puts there, or that it is away."""

    def __init__(self) -> None:
        self.found: Changes | None = None
        self.asked: list[int] = []

    async def changes(self, since: int) -> Changes:
        self.asked.append(since)
        if self.found is None:
            raise DatabaseDown
        return self.found


async def test_the_copy_follows_every_two_seconds_and_outlives_an_outage(
    clock: ManualClock,
) -> None:
    feed, known = Feed(), KnownIdentities("default")
    following = asyncio.ensure_future(known.follow(feed, clock))
    await clock.until_waiting(1)
    assert not known.loaded
    last = None
    for number, expected in enumerate((key(), None, key(revoked_at_s=1.0)), 1):
        found = Changes(revision=number, keys=(expected,)) if expected else None
        feed.found = found
        clock.advance(1.99)
        await until(lambda: True)
        assert len(feed.asked) == number
        clock.advance(0.02)
        await until(lambda number=number: len(feed.asked) == number + 1)
        await clock.until_waiting(1)
        last = expected or last
        assert known.key(key().id) == last
        assert known.loaded
    assert feed.asked == [0, 0, 1, 1]
    following.cancel()


async def test_what_was_read_earlier_is_not_learned_later() -> None:
    """An admin's refresh overtakes a poll whose answer is under way."""
    known, answers = KnownIdentities("default"), asyncio.Queue[Changes]()

    class Slow:
        async def changes(self, since: int) -> Changes:
            return await answers.get()

    poll = asyncio.ensure_future(known.refresh(Slow()))
    refresh = asyncio.ensure_future(known.refresh(Slow()))
    await answers.put(Changes(revision=1, whole=True, keys=(key(),)))
    await answers.put(Changes(revision=2, keys=(key(revoked_at_s=1.0),)))
    await asyncio.gather(poll, refresh)
    found = known.key(key().id)
    assert found is not None
    assert found.revoked_at_s == 1.0
