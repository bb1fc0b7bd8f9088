"""Who can reach the gateway, and whether that fits who may call it; works on raw values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final

from interlingua_gateway.config.document import as_list, as_mapping
from interlingua_gateway.config.problems import Key

LAST_PORT: Final = 65535


def reach_faults(values: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Each fault between `server` and `auth`, with the key to mend."""
    auth, server = as_mapping(values.get("auth")), as_mapping(values.get("server"))
    outside = next((a for a in _addresses(server) if _is_outside(a)), None)
    if outside is not None:
        yield from _outside_faults(auth, outside)
    tls = as_mapping(server.get("tls"))
    if auth.get("certificates") and not tls.get("require_client_certificate"):
        message = "needs server.tls.require_client_certificate: else none is asked for"
        yield ("auth", "certificates"), message


def _outside_faults(auth: Mapping[str, Any], outside: str) -> Iterator[tuple[Key, str]]:
    anonymous = auth.get("anonymous")
    if "admin" in as_list(anonymous):
        yield ("auth", "anonymous"), f"anybody who reaches {outside} could change the gateway"
    if anonymous is None and not any(auth.get(k) for k in ("admin_key", "jwt", "certificates")):
        message = (
            f"{outside} is reached from elsewhere, but nothing says who may call: give admin_key "
            "(and make keys with `interlingua keys create`), jwt or certificates; or "
            "anonymous: [] if the keys are already made, [inference] if everybody may call"
        )
        yield ("auth",), message


def _addresses(server: Mapping[str, Any]) -> list[str]:
    listen = server.get("listen", ())
    found = listen.split(",") if isinstance(listen, str) else as_list(listen)
    return [str(address).strip() for address in found]


def _is_outside(address: str) -> bool:
    """Whether others reach `address`; what is not one is told elsewhere."""
    host, _, port = address.rpartition(":")
    well_formed = bool(host) and port.isdecimal() and int(port[:6]) <= LAST_PORT
    return well_formed and not is_of_this_machine(address)


def is_of_this_machine(address: str) -> bool:
    """Whether only this machine reaches `address`: a Unix socket or a loopback address."""
    if address.startswith(("unix:", "localhost:")):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(addresses: Iterable[str]) -> bool:
    """Whether only this machine reaches any of `addresses`."""
    return all(is_of_this_machine(address) for address in addresses)
