"""Gateways inside of the test's own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from interlingua_gateway import Gateway, GatewayConfig
from tests.support.gateway import scripted

Stage = Callable[..., Gateway]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """`stage(model=script, ...)` is a gateway whose models play scripts; `tree` is for the rest of
    its configuration. All are closed at the end."""
    with ExitStack() as stack:

        def make(tree: dict[str, object] | None = None, **scripts: object) -> Gateway:
            sections = {"data_dir": tmp_path / "data", **scripted(**scripts), **(tree or {})}
            return stack.enter_context(Gateway(GatewayConfig(**sections)))

        yield make
