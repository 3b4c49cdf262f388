"""One database a module, and a user of its own a test, who is gone after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leap_pipeline.db.engine import Database
from tests.support import postgres
from tests.support.automation import Desk, make_desk
from tests.support.postgres import TestServer


@pytest.fixture(scope="module")
def shared(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        yield opened
        opened.dispose()


@pytest.fixture
def desk(shared: Database) -> Iterator[Desk]:
    made = make_desk(shared)
    yield made
    made.sql("DELETE FROM celery_beat_schedule_entry WHERE name = 'sync'")
    made.sql("DELETE FROM users")
