"""A gateway whose configuration is written anew while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from interlingua.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    gateway_service_pb2,
    generate_pb2,
)
from tests.support.calls import until
from tests.support.gateway import Running, Tree, write
from tests.support.http_get import http_get

ADMIN: Final = {"anonymous": ["inference", "admin"]}


class Reloads:
    """A gateway whose file can be written anew."""

    def __init__(self, gateway: Running, directory: Path) -> None:
        self.gateway = gateway
        self.directory = directory
        self.admin = admin_service_pb2_grpc.AdminServiceStub(gateway.channel)

    async def __call__(
        self, tree: Tree, *, dry_run: bool = False
    ) -> admin_service_pb2.ReloadConfigResponse:
        """Write `tree` and have it read."""
        write({"auth": ADMIN, **tree}, self.directory)
        return await self.again(dry_run=dry_run)

    async def again(self, *, dry_run: bool = False) -> admin_service_pb2.ReloadConfigResponse:
        """Have the file read."""
        return await self.admin.ReloadConfig(admin_service_pb2.ReloadConfigRequest(dry_run=dry_run))

    async def metrics(self) -> str:
        assert self.gateway.built.http is not None
        return (await http_get(self.gateway.built.http.address, "/metrics")).text

    async def health(self) -> gateway_service_pb2.HealthResponse:
        return await self.gateway.calls.Health(gateway_service_pb2.HealthRequest())

    async def retired(self) -> None:
        """Wait until no former configuration is left."""
        await until(lambda: not self.gateway.built.former)


def stage(*models: str, scripts: Mapping[str, object] = {}, **tree: object) -> dict[str, object]:
    """A scripted provider with `models`, deployments of the same names; the first is `default`."""
    entries = [
        {"name": name, "targets": [{"provider": "stage", "model": name, "deployment": name}]}
        for name in models
    ]
    entries[0]["aliases"] = ["default"]
    return {
        "providers": {"stage": {"kind": "scripted", "script": dict(scripts)}},
        "models": entries,
        **tree,
    }


def text_of(answer: generate_pb2.GenerateResponse) -> str:
    return answer.candidates[0].parts[0].text
