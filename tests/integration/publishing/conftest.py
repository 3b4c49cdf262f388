"""A tenant, a prepared lecture, and both platforms as fakes, in a database of the module's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import User
from tests.support import postgres
from tests.support.bench import Bench, make_bench
from tests.support.postgres import TestServer
from tests.support.studio_fakes import Fakes, make_fakes


@pytest.fixture(scope="module")
def shared_database(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        yield opened
        opened.dispose()


@pytest.fixture
def bench(shared_database: Database, tmp_path: Path) -> Bench:
    with shared_database.system() as session:
        session.execute(delete(User))
    made = make_bench(shared_database, tmp_path / "storage")
    made.cut_locks()
    return made


@pytest.fixture
def fakes(bench: Bench, tmp_path: Path) -> Iterator[Fakes]:
    made = make_fakes(bench, tmp_path, datetime.now(UTC).replace(microsecond=0))
    yield made
    made.studio.http.close()
