"""`interlingua health`: is the gateway well? Its exit code is for health checks of containers."""

from __future__ import annotations

from typing import Final

from rich.console import Console

from interlingua.jsonform import to_json
from interlingua.v1.gateway_service_pb2 import BreakerState, HealthResponse, HealthStatus
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import CommandError
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import write

_BREAKERS: Final = {
    BreakerState.BREAKER_STATE_OPEN: "circuit open, no calls are sent",
    BreakerState.BREAKER_STATE_HALF_OPEN: "circuit half open, a few calls are sent to test it",
}


def run(gateway: Gateway, *, as_json: bool) -> None:
    """Write how it is; raises CommandError (exit code 1) if it cannot serve."""
    with connected(gateway) as client:
        health = client.health()
    if as_json:
        write(to_json(health) + "\n")
    else:
        _describe(health)
    if health.status == HealthStatus.HEALTH_STATUS_UNHEALTHY:
        raise CommandError(f"The gateway at {gateway.address} cannot serve calls.")


def _describe(health: HealthResponse) -> None:
    console = Console(highlight=False, markup=False)
    if not health.version:
        console.print(f"{_word(health.status)} (a key of this gateway shows more)")
        return
    uptime = health.uptime.ToTimedelta()
    console.print(
        f"{_word(health.status)}, version {health.version}, up {str(uptime).split('.')[0]}"
    )
    for provider in health.providers:
        note = f" ({provider.note})" if provider.note else ""
        console.print(f"  {provider.name}: {_word(provider.status)}{note}")
        for deployment in provider.deployments:
            breaker = _BREAKERS.get(deployment.breaker_state)
            if breaker:
                why = deployment.last_error_reason.removeprefix("ERROR_REASON_")
                console.print(f"    {deployment.name}: {breaker}, last error {why}")


def _word(status: HealthStatus.ValueType) -> str:
    name = HealthStatus.Name(status).removeprefix("HEALTH_STATUS_").lower()
    return "nothing known yet" if name == "unspecified" else name
