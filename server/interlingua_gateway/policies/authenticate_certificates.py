"""Knows callers by the names in their client certificates, such as SPIFFE ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.identity import Certificate, Identity, Scope, Via
from interlingua_gateway.policies.known_identities import KnownIdentities

_PARTS: Final = re.compile(r"\*|\{(tenant|project|user)\}")


class CertificateRule(msgspec.Struct, frozen=True, kw_only=True):
    """Callers whose certificate has a name of the form of exactly one of the three patterns.

    In a pattern `*` stands for a part of the name (up to the next `/` of a URI, or `.` of another
    name), `{tenant}`, `{project}` and `{user}` for a part that is taken as such.
    """

    uri: str = ""
    dns: str = ""
    common_name: str = ""
    tenant: str = ""
    project: str = ""
    user: str = ""
    scopes: frozenset[Scope] = frozenset()
    models: tuple[str, ...] = ()


class Certificates:
    """The first rule that matches a name of the certificate says who it is."""

    def __init__(self, rules: Iterable[CertificateRule], known: KnownIdentities) -> None:
        self._rules = tuple((rule, _pattern(rule)) for rule in rules)
        self._known = known

    def identify(self, certificate: Certificate) -> Identity | None:
        """Whose certificate it is, or None if no rule says it."""
        for rule, pattern in self._rules:
            for name in _names(rule, certificate):
                match = pattern.fullmatch(name)
                if match is not None:
                    return self._identity(rule, match.groupdict())
        return None

    def _identity(self, rule: CertificateRule, found: dict[str, str]) -> Identity:
        caller = self._known.caller(
            found.get("tenant", rule.tenant),
            project=found.get("project", rule.project),
            user=found.get("user", rule.user),
            models=rule.models,
        )
        return Identity(via=Via.CERTIFICATE, scopes=rule.scopes, caller=caller)


def _names(rule: CertificateRule, certificate: Certificate) -> Sequence[str]:
    if rule.uri:
        return certificate.uris
    return certificate.dns if rule.dns else (certificate.common_name,)


def _pattern(rule: CertificateRule) -> re.Pattern[str]:
    text = rule.uri or rule.dns or rule.common_name
    part = "[^/]+" if rule.uri else "[^.]+"
    pieces: list[str] = []
    end = 0
    for found in _PARTS.finditer(text):
        pieces.append(re.escape(text[end : found.start()]))
        pieces.append(f"(?P<{found[1]}>{part})" if found[1] else part)
        end = found.end()
    return re.compile("".join(pieces) + re.escape(text[end:]))
