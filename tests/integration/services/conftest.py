"""The bench: one user, one storage, one database."""

from __future__ import annotations

import pytest

from leap_pipeline.db.engine import Database
from leap_pipeline.settings import Settings
from tests.support.bench import Bench, make_bench


@pytest.fixture
def bench(database: Database, settings: Settings) -> Bench:
    return make_bench(database, settings.storage)
