"""The OAuth server of oidc-provider, and a user of LEAP beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import User
from leap_pipeline.services.users import add_user
from tests.support import oidc, postgres
from tests.support.oidc import Connecting, Oidc
from tests.support.postgres import TestServer


@pytest.fixture(scope="package")
def oauth_server() -> Iterator[Oidc]:
    reason = oidc.why_not()
    if reason is not None:
        pytest.skip(reason)
    with oidc.running() as running:
        yield running


@pytest.fixture(scope="package")
def oauth_database(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        yield opened
        opened.dispose()


@pytest.fixture
def connecting(oauth_server: Oidc, oauth_database: Database, tmp_path: Path) -> Connecting:
    with oauth_database.system() as session:
        session.execute(delete(User))
        user_id = add_user(session, "ada@example.org").id
    oauth_server.control()
    return Connecting(oauth_database, oauth_server.settings(tmp_path), user_id, oauth_server)
