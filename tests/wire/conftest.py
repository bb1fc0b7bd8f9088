"""A gateway for each test of the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.gateway import Running, running

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
