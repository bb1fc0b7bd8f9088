"""The names of the package, which are loaded when they are first used."""

import subprocess
import sys
from importlib import import_module

import pytest

import interlingua


def test_every_name_is_there() -> None:
    for name in interlingua.__all__:
        assert getattr(interlingua, name) is not None
    assert set(interlingua.__all__) <= set(dir(interlingua))


def test_modules_are_there_too() -> None:
    program = "import interlingua; print(interlingua.errors.InterlinguaError.__name__)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert done.stdout == b"InterlinguaError\n"


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        _ = interlingua.Server


def test_the_messages_alone_load_no_client() -> None:
    program = (
        "import sys; from interlingua.v1 import generate_pb2; "
        "print(*(name for name in sys.modules if name.startswith('interlingua.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert set(done.stdout.decode().split()) == {
        "interlingua.v1",
        "interlingua.v1.content_pb2",
        "interlingua.v1.generate_pb2",
    }
    assert import_module("interlingua.client").Client is interlingua.Client
