"""A real Dagster instance on PostgreSQL, configured as `leap up` configures it."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy import delete

from leap_pipeline.commands.dagster_home import instance
from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import User
from leap_pipeline.db.urls import resolve
from leap_pipeline.settings import Settings
from tests.support.bench import Bench, make_bench
from tests.support.postgres import TestServer


@pytest.fixture(scope="module")
def home(
    postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings that stand in the environment too, where Dagster's side reads them."""
    folder = tmp_path_factory.mktemp("home")
    with postgres_server.database() as url, pytest.MonkeyPatch.context() as environment:
        text = url.render_as_string(hide_password=False)
        environment.setenv("LEAP_HOME", str(folder))
        environment.setenv("LEAP_DATABASE_URL", text)
        environment.setenv("LEAP_STORAGE_ROOT", str(folder / "storage"))
        environment.setenv("LEAP_MAX_CONCURRENT_RUNS", "5")
        yield Settings(home=folder, database_url=text, storage_root=folder / "storage")


@pytest.fixture(scope="module")
def shared_dagster(home: Settings) -> Iterator[dg.DagsterInstance]:
    with instance(home, prepare(home)) as found:
        yield found


@pytest.fixture(scope="module")
def shared_database(home: Settings) -> Iterator[Database]:
    opened = Database(resolve(home), pooled=True)
    yield opened
    opened.dispose()


@pytest.fixture
def dagster(shared_dagster: dg.DagsterInstance) -> dg.DagsterInstance:
    """The instance without any run; an earlier test's are gone."""
    for run in shared_dagster.get_runs():
        shared_dagster.delete_run(run.run_id)
    return shared_dagster


@pytest.fixture
def bench(shared_database: Database, home: Settings) -> Bench:
    """Everything that an earlier test left goes with its user."""
    with shared_database.system() as session:
        session.execute(delete(User))
    made = make_bench(shared_database, home.storage)
    made.cut_locks()
    return made
