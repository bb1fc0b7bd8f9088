"""The digests of a configuration are the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.house.tree import ROOT

# Every setting that is a set, with enough members to be ordered by chance.
SETS = {
    "models": [
        {
            "name": "m",
            "targets": [{"provider": "stage", "model": "echo"}],
            "capabilities": ["chat", "tools", "json_schema", "image_input", "reasoning"],
        }
    ],
    "providers": {"stage": {"kind": "scripted"}},
    "routing": {
        "rules": [
            {
                "use": "m",
                "tags": ["a", "b", "c", "d"],
                "capabilities": ["chat", "tools", "logprobs"],
            }
        ]
    },
    "limits": {
        "rules": [
            {
                "name": "all",
                "per": ["tenant", "user", "key", "model"],
                "tenants": ["t", "u", "v", "w"],
                "requests_per_minute": 1,
            },
            {
                "name": "upstream",
                "per": ["provider"],
                "providers": ["stage"],
                "requests_per_minute": 1,
            },
        ]
    },
}
PRINT = """
import sys
from pathlib import Path
from interlingua_gateway.app.digests import configuration_digest, digests
from interlingua_gateway.config.load import load
config = load(Path(sys.argv[1]), {}).config
print(configuration_digest(config), digests(config)['m'])
"""


def _digests(file: Path, seed: int) -> str:
    paths = (ROOT / "server", ROOT / "clients/python/src")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONHASHSEED": str(seed),
    }
    return subprocess.check_output(
        [sys.executable, "-c", PRINT, str(file)], env=environment, text=True
    )


def test_processes_agree_on_the_digests(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump(SETS))
    first, second = _digests(file, 1), _digests(file, 2)
    assert first == second
    assert len(first.split()) == 2
