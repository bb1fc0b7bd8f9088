"""Gateways in processes of their own, which can be killed and started again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from interlingua.v1 import admin_service_pb2_grpc, gateway_service_pb2_grpc
from tests.house.tree import ROOT

RUN = "from interlingua_gateway.cli.start import main; main()"


class GatewayProcess:
    """One gateway of the configuration `tree` on a Unix socket in `directory`, its state there too.

    `channel` and the stubs stay good when it is started again.
    """

    def __init__(self, tree: Mapping[str, object], directory: Path) -> None:
        directory.mkdir()
        self.address = f"unix:{directory}/gateway.sock"
        self._log = directory / "log"
        self._file = directory / "gateway.yaml"
        whole = {
            "server": {"listen": [self.address], "drain": {"delay_s": 0}},
            "http": {"listen": None},
            "telemetry": {"log_level": "warning", "log_format": "json"},
            "data_dir": str(directory / "data"),
            **tree,
        }
        self._file.write_text(yaml.safe_dump(whole))
        self._process: subprocess.Popen[bytes] | None = None
        self.channel = grpc.aio.insecure_channel(
            self.address, options=[("grpc.max_reconnect_backoff_ms", 200)]
        )
        self.calls = gateway_service_pb2_grpc.GatewayServiceStub(self.channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(self.channel)

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text()

    def start(self) -> None:
        """Begin; `serving` waits until it answers."""
        paths = (ROOT / "server", ROOT / "clients/python/src")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", RUN, "serve", "--config", str(self._file)],
                stdout=log,
                stderr=log,
                env=environment,
            )

    async def serving(self) -> None:
        """Wait until it says that it is ready."""
        while not await self._says_so():
            pass

    async def _says_so(self) -> bool:
        """Whether it has said so; not if the question went to a process that was just killed."""
        health = health_pb2_grpc.HealthStub(self.channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        try:
            async for response in watch:
                if response.status == health_pb2.HealthCheckResponse.SERVING:
                    return True
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        finally:
            watch.cancel()
        return False

    def kill(self) -> None:
        """Without a goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """As an administrator does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    async def aclose(self) -> None:
        """Close the connection, and stop it."""
        await self.channel.close()
        self.stop()
