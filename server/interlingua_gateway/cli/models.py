"""`interlingua models`: what callers may name, what it can do and what it costs."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from interlingua import Model
from interlingua.jsonform import to_json
from interlingua.v1.gateway_service_pb2 import HealthStatus
from interlingua.v1.generate_pb2 import ModelCapability
from interlingua_gateway.cli.connection import connected
from interlingua_gateway.cli.options import Gateway
from interlingua_gateway.cli.text import write

NANO = 1e9


def run(gateway: Gateway, *, as_json: bool) -> None:
    """Write the models as a table, or as JSON (one line a model)."""
    with connected(gateway) as client:
        models = client.models()
    if as_json:
        for model in models:
            write(to_json(model) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "served by", "health", "USD a million tokens", "can do"):
        table.add_column(heading, overflow="fold")
    for model in models:
        table.add_row(model.name, *_cells(model))
    Console(highlight=False, markup=False).print(table)


def _cells(model: Model) -> tuple[str, str, str, str]:
    return (
        "\n".join(deployment.name for deployment in model.deployments),
        "\n".join(
            HealthStatus.Name(deployment.status).removeprefix("HEALTH_STATUS_").lower()
            for deployment in model.deployments
        ).replace("unspecified", "not used yet"),
        "\n".join(_price(model, index) for index in range(len(model.deployments))),
        ", ".join(
            ModelCapability.Name(capability).removeprefix("MODEL_CAPABILITY_").lower()
            for capability in model.capabilities
        ),
    )


def _price(model: Model, index: int) -> str:
    deployment = model.deployments[index]
    if not deployment.HasField("price"):
        return "unknown"
    price = deployment.price
    inward = price.input_nano_usd_per_million_tokens / NANO
    outward = price.output_nano_usd_per_million_tokens / NANO
    return f"{inward:g} in, {outward:g} out" if inward or outward else "free"
