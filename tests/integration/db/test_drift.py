"""Models against migrations, and Alembic's own commands from the root of a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from leap_pipeline.db import migrate
from leap_pipeline.db.urls import connect, plain
from leap_pipeline.settings import CHECKOUT
from tests.support import rows
from tests.support.postgres import urls_of


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `alembic` needs, where it may write."""
    shutil.copy(CHECKOUT / "alembic.ini", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "migrations", tmp_path / "migrations", ignore=ignored)
    (tmp_path / "leap_pipeline").symlink_to(CHECKOUT / "leap_pipeline")
    return tmp_path


def alembic(
    checkout: Path, url: URL | str, *arguments: str, streams: str = "both"
) -> tuple[int, str]:
    """Its exit code and what it said."""
    address = url if isinstance(url, str) else plain(url)
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=checkout,
        env=os.environ | {"LEAP_DATABASE_URL": address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + (done.stderr if streams == "both" else "")


def test_models_and_migrations_agree(database_url: URL) -> None:
    assert migrate.check_drift(urls_of(database_url)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE recordings DROP COLUMN skip_reason", "skip_reason"),
        ("ALTER TABLE users ALTER COLUMN email TYPE TEXT", "modify_type"),
        ("ALTER TABLE users ALTER COLUMN timezone SET DEFAULT 'GMT'", "modify_default"),
        ("ALTER TABLE users ALTER COLUMN role DROP NOT NULL", "modify_nullable"),
        ("DROP INDEX idx_recordings_status", "idx_recordings_status"),
        ("ALTER TABLE users DROP CONSTRAINT users_email_key", "UniqueConstraint(Column('email'"),
        ("ALTER TABLE quota_usage DROP CONSTRAINT quota_usage_user_id_fkey", "add_fk"),
        ("CREATE TABLE stray (id INTEGER)", "stray"),
    ],
)
def test_drift_is_noticed(database_url: URL, change: str, named: str) -> None:
    with connect(database_url) as connection:
        connection.execute(change)
    assert named in "".join(migrate.check_drift(urls_of(database_url)))


def test_bare_alembic_migrates(checkout: Path, empty_database_url: URL) -> None:
    url = empty_database_url
    assert alembic(checkout, url, "upgrade", "head")[0] == 0
    code, said = alembic(checkout, url, "check")
    assert (code, "No new upgrade operations" in said) == (0, True)
    with migrate.connected(url) as connection:
        rows.insert(connection, rows.STATEMENTS, rows.BEYOND)
    code, said = alembic(checkout, url, "downgrade", "010")
    assert code != 0
    assert "would delete stored_objects (1), recording_runs (1)" in said
    assert "Traceback" not in said
    assert migrate.is_current(urls_of(url))
    assert alembic(checkout, url, "-x", "yes=true", "downgrade", "010")[0] == 0
    assert migrate.current(urls_of(url)) == "010"


def test_new_revisions_get_the_next_number(checkout: Path, database_url: URL) -> None:
    with connect(database_url) as connection:
        connection.execute("ALTER TABLE recordings DROP COLUMN skip_reason")
    code, said = alembic(checkout, database_url, "revision", "--autogenerate", "-m", "Put it back")
    assert code == 0, said
    last = int(migrate.head() or 0)
    first, second = f"{last + 1:03d}", f"{last + 2:03d}"
    written = (checkout / f"migrations/versions/{first}_put_it_back.py").read_text(encoding="utf-8")
    assert "op.add_column('recordings', sa.Column('skip_reason'" in written
    assert alembic(checkout, database_url, "upgrade", "head")[0] == 0
    assert migrate.current(urls_of(database_url)) == first
    assert migrate.check_drift(urls_of(database_url)) == []

    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    assert alembic(checkout, nowhere, "revision", "-m", "Add holds")[0] == 0
    step = f"{first} -> {second} (head), Add holds"
    assert alembic(checkout, nowhere, "history")[1].count(step) == 1


def test_all_of_it_can_be_had_as_sql(
    checkout: Path, database_url: URL, empty_database_url: URL
) -> None:
    """Where the roles have been made, as `database_url` has them made."""
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    code, script = alembic(checkout, nowhere, "upgrade", "head", "--sql", streams="stdout")
    assert code == 0
    with connect(empty_database_url) as connection:
        connection.execute(script.encode())
    assert migrate.is_current(urls_of(empty_database_url))
    assert migrate.check_drift(urls_of(empty_database_url)) == []
