"""`interlingua migrate`, and what a gateway loads of databases before it needs one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from interlingua_gateway.app.database import Databases
from interlingua_gateway.config.load import load
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.store.sql.schema import head
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import redis_server
from tests.unit.cli.conftest import Cli


def configured(directory: Path, url: str | None = None) -> Path:
    file = directory / "gateway.yaml"
    database = "" if url is None else f"database: {{url: '{url}'}}\n"
    file.write_text(f"data_dir: {directory}/data\n{database}")
    return file


def test_a_schema_is_brought_up_to_date_once(
    bare: Cli, tmp_path: Path, postgres: PostgresServer
) -> None:
    for url in (None, postgres.new_database()):
        file = configured(tmp_path, url)
        first, second = (bare("migrate", "--config", str(file)) for _ in range(2))
        assert first.output == f"from nothing to {head()}\n"
        assert second.output == f"at {head()} already\n"
    assert (tmp_path / "data/interlingua.sqlite3").exists()


def test_a_database_that_is_away_is_told(bare: Cli, tmp_path: Path) -> None:
    file = configured(tmp_path, f"postgresql:///name?host={tmp_path}")
    result = bare("migrate", "--config", str(file))
    assert result.exit_code == 1
    assert "database does not answer: " in result.output
    assert "No such file or directory" in result.output, "what the driver says"
    assert "Traceback" not in result.output


def test_the_doctor_looks_at_the_database(
    bare: Cli, tmp_path: Path, postgres: PostgresServer
) -> None:
    file = configured(tmp_path, postgres.new_database())
    assert "empty; a gateway makes its schema" in bare("doctor", "--config", str(file)).output
    bare("migrate", "--config", str(file))
    assert f"its schema is {head()}" in bare("doctor", "--config", str(file)).output
    file = configured(tmp_path, f"postgresql:///name?host={tmp_path}")
    result = bare("doctor", "--config", str(file))
    assert result.exit_code == 1
    assert "PostgreSQL     it does not answer: " in result.output
    assert "No such file or directory" in " ".join(result.output.split())


def test_the_doctor_looks_at_redis(bare: Cli, tmp_path: Path) -> None:
    file = configured(tmp_path, None)
    with redis_server() as server:
        file.write_text(f"{file.read_text()}redis: {{url: '{server.url}'}}\n")
        assert "ok  Redis          " in bare("doctor", "--config", str(file)).output
        server.kill()
        away = bare("doctor", "--config", str(file))
    assert "--  Redis          not used, because it does not answer: Error 2" in away.output


def test_a_missing_library_is_told_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(configured(tmp_path, "postgresql://db/name"), {"HOME": str(tmp_path)}).config
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InternalError) as failed:
        Databases(config)
    assert "interlingua-gateway[postgres]" in failed.value.message


def test_a_gateway_is_wired_without_any_library_of_databases() -> None:
    program = (
        "import sys, interlingua_gateway.app.lifecycle; "
        "print([m for m in ('sqlalchemy', 'alembic', 'psycopg', 'sqlite3') if m in sys.modules])"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=environment
    )
    assert done.stdout == b"[]\n"
