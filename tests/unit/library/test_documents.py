"""What the documents show works: their programs run, with a scripted provider for the real one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

REAL = 'create_gateway(["openai"], default_model="gpt-5-mini")'
PLAYED = (
    'create_gateway([{"name": "stage", "kind": "scripted", "model": "echo"}], data_dir="{data}")'
)


def programs(path: Path) -> list[str]:
    """The Python programs of a document that make a gateway."""
    blocks = path.read_text("utf-8").split("```python\n")[1:]
    return [text for block in blocks if REAL in (text := block.partition("```")[0])]


def run(program: str, directory: Path) -> str:
    played = program.replace(REAL, PLAYED.replace("{data}", str(directory)))
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", played],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("README.md", [["Why is the sky blue?", "Tell me a story."]]),
        (
            "docs/library.md",
            [
                ["Why is the sky blue?", "Tell me a story."],
                ["Hello! 1 None", "Tell me a story.2", "first", "second"],
                ["2", "1.0"],  # the program before it has called for acme too
            ],
        ),
    ],
)
def test_programs_of_documents(document, said, tmp_path):
    outputs = [run(program, tmp_path) for program in programs(ROOT / document)]
    assert [output.splitlines() for output in outputs] == said


def test_importing_the_package_loads_nothing():
    program = (
        "import sys; before = set(sys.modules); import interlingua_gateway; "
        "print(sorted(m for m in set(sys.modules) - before if m.startswith('interlingua')))"
    )
    assert run(program, Path()) == "['interlingua_gateway']\n"


def test_the_library_loads_neither_grpc_nor_litellm(tmp_path):
    program = (
        f"import sys\nfrom interlingua_gateway import create_gateway\ngateway = {REAL}\n"
        "gateway.generate('x')\n"
        "print([name for name in ('grpc', 'google.protobuf', 'litellm') if name in sys.modules])\n"
        "gateway.close()\n"
    )
    assert run(program, tmp_path) == "[]\n"
