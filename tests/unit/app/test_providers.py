"""What the providers of a configuration share."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from interlingua_gateway.app import providers
from interlingua_gateway.core.clock import SystemClock
from interlingua_gateway.core.redact import Redactor
from tests.support.gateway import configuration


async def test_authorities_are_read_once_for_all_who_trust_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    make = providers.client_tls

    def noted(ca_file: str = "") -> ssl.SSLContext:
        read.append(ca_file)
        return make(ca_file)

    monkeypatch.setattr(providers, "client_tls", noted)
    plain = {"kind": "openai", "base_url": "http://localhost:1/v1"}
    accounts = {
        "plain": plain,
        "one": {"kind": "openai", "api_key": "env:KEY"},
        "other": {"kind": "openai", "base_url": "https://localhost:1/v1"},
        "proxied": {**plain, "proxy": "http://localhost:2"},
    }
    config = configuration({"providers": accounts}, tmp_path, {"KEY": "k"})
    factory = providers.ProviderFactory(Redactor(), SystemClock(), {})
    await factory.make("plain", config.providers["plain"]).aclose()
    assert read == []
    for name in ("one", "other", "proxied"):
        await factory.make(name, config.providers[name]).aclose()
    assert read == [""]
