"""What ruff and import-linter are set up to forbid, they see."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

BIN = Path(sys.executable).parent

BANNED = [
    ("server/interlingua_gateway/route/x.py", "import time", "TID251"),
    ("server/interlingua_gateway/route/x.py", "from time import monotonic", "TID251"),
    ("server/interlingua_gateway/route/x.py", "import random", "TID251"),
    ("server/interlingua_gateway/route/x.py", "import secrets", "TID251"),
    ("server/interlingua_gateway/route/x.py", "import os\nos.environ['A']", "TID251"),
    ("server/interlingua_gateway/route/x.py", "import os\nos.getenv('A')", "TID251"),
    ("server/interlingua_gateway/route/x.py", "import asyncio\nasyncio.sleep(1)", "TID251"),
    ("server/interlingua_gateway/route/x.py", "import asyncio\nasyncio.create_task(f)", "TID251"),
    ("server/interlingua_gateway/route/x.py", "import asyncio\nasyncio.timeout(1)", "TID251"),
    ("server/interlingua_gateway/providers/x.py", "from litellm.proxy import a", "TID251"),
    ("server/interlingua_gateway/route/x.py", "def f():\n    import json", "PLC0415"),
    ("server/interlingua_gateway/route/x.py", "def f():\n    global x\n    x = 1", "PLW0603"),
    ("server/interlingua_gateway/route/x.py", "try:\n    f()\nexcept Exception: ...", "BLE001"),
    ("server/interlingua_gateway/route/x.py", "x = 1", "D100"),
    ("server/interlingua_gateway/route/x.py", "print(1)", "T201"),
    ("server/interlingua_gateway/route/x.py", "from . import y", "TID252"),
    (
        "server/interlingua_gateway/route/x.py",
        "def f(a):\n" + "".join(f"    if a == {n}: a()\n" for n in range(8)),
        "C901",
    ),
    ("tests/unit/test_x.py", "import asyncio\nasyncio.sleep(1)", "TID251"),
    ("tests/unit/test_x.py", "import time\ntime.sleep(1)", "TID251"),
]


@pytest.mark.parametrize(("path", "text", "code"), BANNED)
def test_ruff_sees(path: str, text: str, code: str) -> None:
    room = path.split("/", maxsplit=1)[0]
    run = subprocess.run(
        [
            *(BIN / "ruff", "check", "--no-cache", "--output-format=concise"),
            *("--config", f"{room}/ruff.toml", "--stdin-filename", path, "-"),
        ],
        check=False,
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stderr
    assert f" {code} " in run.stdout


ROOMS = (
    "cli",
    "library",
    "app",
    "wire",
    "policies",
    "route",
    "providers",
    "store",
    "config",
    "telemetry",
    "core",
)

FORBIDDEN = [
    ("core/x.py", "import interlingua_gateway.telemetry", "layers"),
    ("route/x.py", "import interlingua_gateway.providers", "layers"),
    ("wire/x.py", "from interlingua_gateway import policies", "layers"),
    ("providers/x.py", "import interlingua_gateway.app", "layers"),
    ("library/x.py", "import interlingua_gateway.cli", "layers"),
    ("attic/__init__.py", "", "layers"),
    ("providers/openai.py", "import litellm", "litellm"),
    ("app/x.py", "def f():\n    from litellm import completion", "litellm"),
    ("route/x.py", "import grpc", "protobuf"),
    ("wire/http/x.py", "from google.protobuf import message", "protobuf"),
    ("core/x.py", "from interlingua.v1 import gateway_pb2", "protobuf"),
    ("core/x.py", "import pydantic", "pydantic"),
    ("policies/x.py", "import sqlite3", "database"),
]


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "pyproject.toml", folder)
    return subprocess.run(
        [BIN / "lint-imports", "--no-cache"],
        check=False,
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    package = tmp_path / "interlingua_gateway"
    for room in (*ROOMS, "wire/grpc", "wire/http"):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "wire/grpc/server.py").write_text("import grpc\nimport google.protobuf.message\n")
    (package / "providers/litellm.py").write_text("import litellm\n")
    (package / "config/tree.py").write_text("import pydantic\n")
    (package / "app/build.py").write_text(
        "import interlingua_gateway.config.tree\nimport interlingua_gateway.wire.grpc.server\n"
        "import interlingua_gateway.providers.litellm\n"
    )
    return tmp_path


def test_contracts_let_a_good_house_pass(house: Path) -> None:
    run = contracts(house)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(("path", "text", "contract"), FORBIDDEN)
def test_contracts_see(house: Path, path: str, text: str, contract: str) -> None:
    module = house / "interlingua_gateway" / path
    module.parent.mkdir(exist_ok=True)
    module.write_text(text)
    run = contracts(house)
    assert run.returncode == 1, run.stdout + run.stderr
    broken = [line for line in run.stdout.splitlines() if " BROKEN" in line]
    assert len(broken) == 1
    assert contract in broken[0]
