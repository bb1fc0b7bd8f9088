"""Who may call: what is refused, with the key to mend, and what is taken."""

from pathlib import Path

import pytest

from interlingua_gateway.config.load import load
from interlingua_gateway.config.problems import ConfigError
from interlingua_gateway.config.tree import Config

ENVIRONMENT = {"HOME": "/h", "KEY": "k" * 32, "SHORT": "k" * 31, "SPACED": "k" * 31 + " k"}
ISSUER = "issuer: https://login.example, audiences: [a]"
PUBLIC = "server: {listen: '127.0.0.1:1, 10.0.0.1:1'}\n"
MUTUAL = (
    "server: {tls: {certificate_file: a, key_file: b, client_ca_file: c,"
    " require_client_certificate: true}}\n"
)


def _load(directory: Path, text: str) -> Config:
    file = directory / "x.yaml"
    file.write_text(text)
    return load(file, ENVIRONMENT).config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PUBLIC, "auth: 10.0.0.1:1 is reached from elsewhere, but nothing says who may call"),
        ("server: {listen: ['0.0.0.0:1']}", "auth: 0.0.0.0:1 is reached from elsewhere"),
        ("server: {listen: ['[::]:1']}", "auth: [::]:1 is reached from elsewhere"),
        ("server: {listen: ['127.x.y:1']}", "auth: 127.x.y:1 is reached from elsewhere"),
        (
            PUBLIC + "auth: {anonymous: [inference, admin]}",
            "auth.anonymous: anybody who reaches 10.0.0.1:1 could change the gateway",
        ),
        ("auth: {anonymous: [everything]}", "auth.anonymous"),
        ("auth: {admin_key: secret}", "auth.admin_key: a secret is not written"),
        ("auth: {admin_key: env:SHORT}", "auth.admin_key: an admin key has 32 to 512 characters"),
        ("auth: {admin_key: env:SPACED}", "auth.admin_key: an admin key has no spaces"),
        (f"auth: {{jwt: [{{{ISSUER}}}]}}", "auth.jwt[0]: give tenant or claims.tenant"),
        (
            f"auth: {{jwt: [{{{ISSUER}, tenant: a, claims: {{tenant: b}}}}]}}",
            "auth.jwt[0]: give tenant or claims.tenant",
        ),
        (f"auth: {{jwt: [{{{ISSUER}, tenant: a, tenants: [b]}}]}}", "tenants is for claims.tenant"),
        (
            f"auth: {{jwt: [{{{ISSUER}, tenant: a}}, {{{ISSUER}, tenant: b}}]}}",
            "the issuer 'https://login.example' is there twice",
        ),
        (f"auth: {{jwt: [{{{ISSUER}, tenant: a, algorithms: [HS256]}}]}}", "algorithms[0]"),
        (f"auth: {{jwt: [{{{ISSUER}, tenant: a, algorithms: [none]}}]}}", "algorithms[0]"),
        (
            f"auth: {{jwt: [{{{ISSUER}, tenant: a, jwks_url: 'http://login.example/k'}}]}}",
            "auth.jwt[0].jwks_url: keys are fetched by https only",
        ),
        (
            f"auth: {{jwt: [{{{ISSUER}, tenant: a, jwks_url: 'http://localhost.evil/k'}}]}}",
            "auth.jwt[0].jwks_url: keys are fetched by https only",
        ),
        (
            "auth: {certificates: [{dns: a, tenant: t}]}",
            "auth.certificates: needs server.tls.require_client_certificate",
        ),
        (MUTUAL + "auth: {certificates: [{dns: a}]}", "give tenant, or {tenant} in the pattern"),
        (
            MUTUAL + "auth: {certificates: [{dns: a, uri: b, tenant: t}]}",
            "give exactly one of uri, dns and common_name",
        ),
        (
            MUTUAL + "auth: {certificates: [{dns: '{tenant}', tenant: t}]}",
            "tenant is given twice",
        ),
        (MUTUAL + "auth: {certificates: [{dns: '{team}', tenant: t}]}", "may stand in a pattern"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as failure:
        _load(tmp_path, text)
    assert message in str(failure.value)
    assert "k" * 31 not in str(failure.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "server: {listen: '127.0.0.1:1, [::1]:1, localhost:1, unix:/run/x.sock, unix:x'}",
        PUBLIC + "auth: {admin_key: env:KEY}",
        PUBLIC + "auth: {anonymous: []}",
        PUBLIC + "auth: {anonymous: [inference]}",
        PUBLIC + f"auth: {{jwt: [{{{ISSUER}, tenant: a}}]}}",
        "auth: {anonymous: [admin]}",
        "auth: {jwt: [{issuer: 'http://127.0.0.1:9/realm', audiences: [a], tenant: t}]}",
        MUTUAL + "auth: {certificates: [{uri: 'spiffe://td/{tenant}/*'}]}",
    ],
)
def test_what_is_taken(tmp_path: Path, text: str) -> None:
    assert "k" * 32 not in _load(tmp_path, text).model_dump_json()
