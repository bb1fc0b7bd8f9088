"""One gateway for all faults, and the checks that follow each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from llmock.testing import LLMockServer

from tests.support.llmock_gateway import CANARIES, SUBJECTS, Faulty, Raw, Subject, faulty


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def raw() -> AsyncIterator[Raw]:
    async with Raw() as upstream:
        yield upstream


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def gateway(
    llmock_server: LLMockServer, raw: Raw, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Faulty]:
    directory: Path = tmp_path_factory.mktemp("faults")
    async with faulty(llmock_server.url, raw, directory) as gateway:
        yield gateway


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name)
def subject(request: pytest.FixtureRequest) -> Subject:
    chosen: Subject = request.param
    return chosen


@pytest_asyncio.fixture(loop_scope="package")
async def nothing_stays(gateway: Faulty, capfd: pytest.CaptureFixture[str]) -> AsyncIterator[None]:
    """No task and no connection is left of the test, beside one idle connection a provider, and
    no library has printed a secret."""
    tasks = gateway.tasks
    yield
    await gateway.settle(tasks)
    assert gateway.connections <= 2 * len(SUBJECTS)
    printed = "".join(capfd.readouterr())
    assert not [secret for secret in CANARIES.values() if secret in printed]
