"""What CI runs says what ran and how it ended, however it ended."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT

MAKE = """#!/bin/sh
case $1 in
check) {check} ;;
test-clients) {clients} ;;
esac
"""


@pytest.mark.parametrize(
    ("check", "clients", "code", "last"),
    [
        ("echo 20 passed in 3s", "echo 5 passed, 0 failed", 0, "25 passed, 0 failed"),
        ("echo 2 failed, 18 passed; exit 2", "echo 5 passed, 0 failed", 2, "23 passed, 2 failed"),
        ("echo 1 error in 1s; exit 2", "echo 4 passed, 1 failed; exit 1", 1, "4 passed, 2 failed"),
        ("echo style; exit 2", "echo 5 passed, 0 failed", 2, "5 passed, 0 failed"),
        ("echo 20 passed", "exit 2", 2, "20 passed, 0 failed"),
    ],
)
def test_the_last_line_and_the_exit_code(
    tmp_path: Path, check: str, clients: str, code: int, last: str
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    make = tmp_path / "make"
    make.write_text(MAKE.format(check=check, clients=clients))
    make.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [tmp_path / ".ci/run"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert run.returncode == code
    assert run.stdout.splitlines()[-1] == last
