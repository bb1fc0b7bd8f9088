"""Fixtures that several rooms of tests share."""

from __future__ import annotations

import gc

import pytest

from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def pytest_collection_finish() -> None:
    """What is imported by now lives until the end: no collection of garbage needs to visit it."""
    gc.collect()
    gc.freeze()
