"""What the tests of the embedded model share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from interlingua_gateway.core.clock import Clock, SystemClock
from interlingua_gateway.providers.local.supervisor import LocalModel, LocalSettings
from tests.support.tiny_model import write_tiny_model

Start = Callable[..., LocalModel]


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("weights") / "tiny.gguf")


@pytest.fixture
async def start(tiny_weights: Path) -> AsyncIterator[Start]:
    """Starts a model (by default the tiny one, on one thread); all are closed at the end."""
    models: list[LocalModel] = []

    def start_model(clock: Clock | None = None, **settings: object) -> LocalModel:
        given = {"weights": tiny_weights, "threads": 1, "streams": 2, **settings}
        model = LocalModel(LocalSettings(**given), clock or SystemClock())  # type: ignore[arg-type]
        models.append(model)
        model.start()
        return model

    yield start_model
    for model in models:
        await model.aclose()
