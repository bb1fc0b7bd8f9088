"""`interlingua health`: is the gateway well? Its exit code is for health checks of containers."""

from __future__ import annotations

from typing import Final

from rich.console import Console

from interlingua.jsonform import to_json
from interlingua.v1.gateway_service_pb2 import (
    BreakerState,
    DeploymentHealth,
    HealthResponse,
    HealthStatus,
)
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.failure import CommandError
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import write

_BREAKERS: Final = {
    BreakerState.BREAKER_STATE_OPEN: "circuit open, no calls are sent",
    BreakerState.BREAKER_STATE_HALF_OPEN: "circuit half open, a few calls are sent to test it",
}
_TROUBLED: Final = (HealthStatus.HEALTH_STATUS_DEGRADED, HealthStatus.HEALTH_STATUS_UNHEALTHY)


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
    console = Console(highlight=False, markup=False, soft_wrap=True)
    status = _word(health.status, unknown="up, its providers are not used yet")
    if not health.version:
        console.print(f"{status} (a key of this gateway shows more)")
        return
    uptime = health.uptime.ToTimedelta()
    console.print(
        f"{status}, version {health.version}, up {str(uptime).split('.')[0]}, "
        f"configuration {health.configuration_digest}"
    )
    for provider in health.providers:
        note = f" ({provider.note})" if provider.note else ""
        console.print(f"  {provider.name}: {_word(provider.status)}{note}")
        for deployment in provider.deployments:
            trouble = _trouble(deployment)
            if trouble:
                console.print(f"    {deployment.name}: {trouble}")


def _trouble(deployment: DeploymentHealth) -> str:
    """What is wrong with it and why; empty if nothing is."""
    state = _BREAKERS.get(deployment.breaker_state, "")
    if not state and deployment.status in _TROUBLED:
        known = deployment.HasField("success_rate")
        rate = f", success rate {deployment.success_rate:.0%}" if known else ""
        state = f"{_word(deployment.status)}{rate}"
    why = deployment.last_error_reason.removeprefix("ERROR_REASON_")
    return f"{state}, last error {why}" if state and why else state


def _word(status: HealthStatus.ValueType, unknown: str = "not used yet") -> str:
    name = HealthStatus.Name(status).removeprefix("HEALTH_STATUS_").lower()
    return unknown if name == "unspecified" else name
