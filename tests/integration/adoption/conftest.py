"""A legacy database that all tests here read, and LEAP's database to adopt into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.engine import URL

from leap_pipeline.adoption.adopt import Wanted, adopt
from leap_pipeline.adoption.outcome import Entry
from leap_pipeline.adoption.report import Report
from leap_pipeline.db.engine import Database
from leap_pipeline.security.keys import EnvironmentKeys
from leap_pipeline.security.vault import Vault
from leap_pipeline.storage.local import LocalStorage
from tests.support.legacy import SECRET
from tests.support.legacy_rows import make_legacy
from tests.support.postgres import TestServer


@dataclass
class Adoption:
    """Everything that `adopt` takes."""

    database: Database
    storage: LocalStorage
    vault: Vault
    wanted: Wanted

    def run(self, **changes: object) -> Report:
        wanted = replace(self.wanted, **changes)  # type: ignore[arg-type]
        return adopt(self.database, self.storage, self.vault, wanted)


@pytest.fixture(scope="session")
def legacy_url(postgres_server: TestServer) -> Iterator[URL]:
    with postgres_server.database(migrated=False) as url:
        make_legacy(url)
        yield url


@pytest.fixture
def own_legacy_url(postgres_server: TestServer) -> Iterator[URL]:
    """For tests that change it."""
    with postgres_server.database(migrated=False) as url:
        make_legacy(url)
        yield url


@pytest.fixture
def adoption(database: Database, legacy_url: URL, tmp_path: Path) -> Adoption:
    return Adoption(
        database,
        LocalStorage(tmp_path / "storage"),
        Vault(EnvironmentKeys((Fernet.generate_key().decode(),))),
        Wanted(legacy_url, secret=SECRET, batch=7),
    )


def notes_of(report: Report, table: str, old_key: object) -> str:
    """What the report says of a row, its outcome in front."""
    found: list[Entry] = [
        each for each in report.tables[table].entries if each.old_key == str(old_key)
    ]
    assert len(found) == 1
    return f"{found[0].outcome}\n{found[0].note or ''}"
