"""The bench: one user and one storage a test, in a database that a module's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import User
from tests.support import postgres
from tests.support.bench import Bench, make_bench
from tests.support.postgres import TestServer


@pytest.fixture(scope="module")
def shared_database(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        yield opened
        opened.dispose()


@pytest.fixture
def bench(shared_database: Database, tmp_path: Path) -> Bench:
    """Everything that an earlier test left goes with its user."""
    with shared_database.system() as session:
        session.execute(delete(User))
    made = make_bench(shared_database, tmp_path / "storage")
    made.cut_locks()
    return made
