"""Fixtures that several rooms of tests share."""

from __future__ import annotations

import pytest

from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
