"""`leap up` on free ports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leap_pipeline.db.engine import Database
from leap_pipeline.settings import Settings
from tests.support.clockwork import Clockwork, clockwork
from tests.support.supervised import with_free_ports


@pytest.fixture
def leap(settings: Settings, database: Database) -> Iterator[Clockwork]:
    with clockwork(with_free_ports(settings), database) as found:
        yield found
