"""Where the database is: addresses with their secrets apart."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from interlingua_gateway.config.load import load
from interlingua_gateway.config.problems import ConfigError
from interlingua_gateway.config.secret import Secret
from interlingua_gateway.config.show import lines
from interlingua_gateway.config.tree import Config

PASSWORD = "hunter2-hunter2"


def loaded(tmp_path: Path, tree: object, **environment: str) -> Config:
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump(tree))
    found = load(file, {"HOME": "/h", **environment})
    shown = "\n".join(line for line, _ in lines(found))
    assert PASSWORD not in shown + repr(found.config) + found.config.model_dump_json()
    return found.config


def problem(tmp_path: Path, tree: object, **environment: str) -> str:
    with pytest.raises(ConfigError) as failed:
        loaded(tmp_path, tree, **environment)
    text = "\n".join(map(str, failed.value.problems))
    assert PASSWORD not in text
    return text


def test_nothing_is_sqlite(tmp_path: Path) -> None:
    assert loaded(tmp_path, {}).database.url is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db/name",
        "postgres://user@db:5432/name?sslmode=verify-full",
        "postgresql:///name?host=/run/postgresql",
    ],
)
def test_addresses(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, {"database": {"url": url}}).database.url == url


def test_a_password_of_its_own(tmp_path: Path) -> None:
    tree = {"database": {"url": "postgresql://u@db/n", "password": "env:PW"}}
    password = loaded(tmp_path, tree, PW=PASSWORD).database.password
    assert password is not None
    assert password.reveal() == PASSWORD


def test_an_address_that_is_a_secret(tmp_path: Path) -> None:
    url = f"postgresql://u:{PASSWORD}@db/n"
    found = loaded(tmp_path, {"database": {"url": "env:DATABASE_URL"}}, DATABASE_URL=url)
    assert isinstance(found.database.url, Secret)
    assert found.database.url.reveal() == url


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{PASSWORD}@db/n",
        f"postgresql://db/n?user=u&password={PASSWORD}",
        "mysql://db/n",
        "sqlite:///x",
        "env:DATABASE_URL",
        "env:NOT_SET",
        7,
    ],
)
def test_what_cannot_be_used_is_told_without_secrets(tmp_path: Path, url: object) -> None:
    wrong = {"DATABASE_URL": f"mysql://u:{PASSWORD}@db/n"}
    assert "database.url" in problem(tmp_path, {"database": {"url": url}}, **wrong)


def test_expressions_to_mask_must_be_some(tmp_path: Path) -> None:
    for wrong in ("(", ".*"):
        text = problem(tmp_path, {"ledger": {"texts": {"mask": [wrong]}}})
        assert "ledger.texts.mask" in text
