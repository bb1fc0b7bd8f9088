"""An identity provider on loopback: publishes its keys, signs tokens, and forges them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.upstream import Upstream, Visit, whole

NOW_S = 1_800_001_000.0
"""What a ManualClock says at its start."""

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@cache
def key(name: str) -> PrivateKey:
    """The private key `name`; its beginning says of which kind it is."""
    if name.startswith("rsa-weak"):
        return rsa.generate_private_key(65537, 1024)
    if name.startswith("rsa"):
        return rsa.generate_private_key(65537, 2048)
    if name.startswith("ed"):
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def algorithm(name: str) -> str:
    """The algorithm of the key `name`."""
    return "RS256" if name.startswith("rsa") else "EdDSA" if name.startswith("ed") else "ES256"


def jwk(name: str, **fields: object) -> dict[str, object]:
    """What is published of the key `name`."""
    public = key(name).public_key()
    encoder = jwt.get_algorithm_by_name(algorithm(name))
    return {**encoder.to_jwk(public, as_dict=True), "kid": name, "use": "sig", **fields}


def forged(header: Mapping[str, object], claims: Mapping[str, object], secret: bytes = b"") -> str:
    """A token of any header, signed with HMAC-SHA256 by `secret`, or not at all without one."""
    parts = [_part(json.dumps(header).encode()), _part(json.dumps(claims).encode())]
    text = ".".join(parts)
    signature = hmac.new(secret, text.encode(), hashlib.sha256).digest() if secret else b""
    return f"{text}.{_part(signature)}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class IdentityProvider:
    """`async with IdentityProvider("ec-1") as provider:` publishes those keys."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.extra: list[object] = []
        self.down = False
        self.fetches = 0
        self._upstream = Upstream(self._answer)

    async def __aenter__(self) -> IdentityProvider:
        await self._upstream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._upstream.__aexit__(None, None, None)

    @property
    def issuer(self) -> str:
        return self._upstream.url

    def claims(self, **changes: object) -> dict[str, object]:
        """The claims of a good token with `changes`; None leaves a claim out."""
        claims = {
            "iss": self.issuer,
            "aud": "interlingua",
            "sub": "ada",
            "org": {"id": "acme"},
            "scope": "openid llm:inference",
            "iat": NOW_S - 10,
            "exp": NOW_S + 600,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, by: str = "ec-1", kid: str | None = "", **changes: object) -> str:
        """A token signed with the key `by`."""
        headers = {} if kid is None else {"kid": kid or by}
        return jwt.encode(self.claims(**changes), key(by), algorithm(by), headers)

    async def _answer(self, visit: Visit) -> bool:
        if self.down:
            await visit.send(whole(b"{}", "503 Service Unavailable"))
        elif visit.path == "/.well-known/openid-configuration":
            found = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys?all=1"}
            await visit.send(whole(json.dumps(found).encode()))
        else:
            assert visit.path == "/keys?all=1"
            self.fetches += 1
            keys = [*self.extra, *(jwk(name) for name in self.names)]
            await visit.send(whole(json.dumps({"keys": keys}).encode()))
        return True
