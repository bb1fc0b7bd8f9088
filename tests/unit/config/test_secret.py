"""Secrets come by reference and never show themselves."""

import pickle
from pathlib import Path

import pytest

from interlingua_gateway.config.secret import Secret, Surroundings, is_confidential, resolve

CANARY = "sk-canary-0123456789"


def test_no_rendering_shows_the_text() -> None:
    secret = Secret(CANARY, "env:KEY")
    renderings = (repr(secret), str(secret), f"{secret}", f"{secret:>40}", "%s" % secret)  # noqa: UP031
    assert not any(CANARY in rendering for rendering in renderings)
    assert repr(secret) == "Secret('env:KEY')"
    assert secret.reveal() == CANARY


def test_a_secret_is_not_written_out() -> None:
    with pytest.raises(TypeError, match="not written out"):
        pickle.dumps(Secret(CANARY, "env:KEY"))


def test_secrets_compare_by_text() -> None:
    assert Secret("a", "env:A") == Secret("a", "file:/a")
    assert Secret("a", "env:A") != Secret("b", "env:A")
    assert len({Secret("a", "env:A"), Secret("a", "env:B")}) == 1


def test_references_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{CANARY}\n")
    surroundings = Surroundings({"KEY": CANARY}, tmp_path)
    assert resolve("env:KEY", surroundings).reveal() == CANARY
    assert resolve(f"file:{tmp_path / 'key'}", surroundings).reveal() == CANARY
    assert resolve("file:key", surroundings).reveal() == CANARY


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:NONE", "the environment variable NONE is not set"),
        ("env:BLANK", "the environment variable BLANK is not set"),
        (f"env:{CANARY}", "write env:NAME"),
        ("file:", "write env:NAME"),
        ("file:none", "No such file"),
        ("file:empty", "is empty"),
        ("file:binary", "not UTF-8"),
        (CANARY, "write env:NAME"),
        (f"literal:{CANARY}", "write env:NAME"),
    ],
)
def test_what_is_wrong_is_said_without_what_was_written(
    reference: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=message) as caught:
        resolve(reference, Surroundings({"BLANK": " "}, tmp_path))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "confidential"),
    [
        ("authorization", True),
        ("X-Api-Key", True),
        ("aws_secret_access_key", True),
        ("aws_session_token", True),
        ("password", True),
        ("aws_region_name", False),
        ("user-agent", False),
        ("max_tokens", False),
        ("timeout", False),
    ],
)
def test_confidential_names(name: str, confidential: bool) -> None:
    assert is_confidential(name) is confidential
