"""A home with a Zoom account of the installation's own, empty before each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import WebhookEvent
from leap_pipeline.db.models.users import User
from leap_pipeline.settings import Settings
from tests.support import postgres
from tests.support.hooks import Hooks, make_hooks
from tests.support.postgres import TestServer


@pytest.fixture(scope="module")
def shared_hooks(postgres_server: TestServer, tmp_path_factory: Any) -> Iterator[Hooks]:
    home: Path = tmp_path_factory.mktemp("hooks")
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        yield make_hooks(opened, Settings(home=home))
        opened.dispose()


@pytest.fixture
def hooks(shared_hooks: Hooks) -> Hooks:
    with shared_hooks.database.system() as session:
        session.execute(delete(User))
        session.execute(delete(WebhookEvent))
    return shared_hooks
