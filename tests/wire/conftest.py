"""A gateway for each test of the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.gateway import Running, Tree, running
from tests.support.reloads import ADMIN, Reloads

Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """`await start(tree)` is a running gateway, closed at the end of the test."""
    async with AsyncExitStack() as stack:
        count = 0

        async def begin(tree: object, **options: object) -> Running:
            nonlocal count
            directory = tmp_path / str(count)
            directory.mkdir()
            count += 1
            return await stack.enter_async_context(running(tree, directory, **options))

        yield begin


@pytest.fixture
def begin(start: Start, tmp_path: Path) -> Callable[..., Awaitable[Reloads]]:
    """`await begin(tree)` is a gateway whose configuration can be reloaded; one a test."""

    async def begun(tree: Tree, **options: object) -> Reloads:
        return Reloads(await start({"auth": ADMIN, **tree}, **options), tmp_path / "0")

    return begun
