"""The migrated database, the design document and the models say the same of every table.

`python -m tests.integration.test_schema_facts` writes down anew what our own migrations add.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from leap_pipeline.db import migrate
from leap_pipeline.db.metadata import metadata
from tests.support.catalogue import Facts, additions, facts, with_additions
from tests.support.postgres import TestServer, server, urls_of

DATA = Path(__file__).parent.parent / "data"
DESIGN: Facts = json.loads((DATA / "schema_facts.json").read_text(encoding="utf-8"))
ADDITIONS_FILE = DATA / "schema_additions.json"
ADDITIONS: Facts = json.loads(ADDITIONS_FILE.read_text(encoding="utf-8"))


@pytest.fixture
def url(any_server: TestServer) -> Iterator[URL]:
    with any_server.database(migrated=False) as found:
        yield found


def facts_at(url: URL) -> Facts:
    with migrate.connected(url) as connection:
        return in_order(facts(connection))


def in_order(said: Facts) -> Facts:
    """Lists sorted by Python, whatever the server's collation is."""
    tables = {
        name: {
            "columns": table["columns"],
            "indexes": sorted(table["indexes"]),
            "constraints": sorted(table["constraints"]),
        }
        for name, table in said["tables"].items()
    }
    return {"tables": tables, "sequences": sorted(said["sequences"])}


def test_revision_010_is_the_design(url: URL) -> None:
    migrate.upgrade(urls_of(url), "010")
    # The document names Celery's two supporting tables and leaves their columns open.
    expected = with_additions(DESIGN, ADDITIONS["010"])
    assert facts_at(url) == in_order(expected)


def test_head_is_the_design_and_our_additions(url: URL) -> None:
    migrate.upgrade(urls_of(url))
    expected = with_additions(with_additions(DESIGN, ADDITIONS["010"]), ADDITIONS["head"])
    assert facts_at(url) == in_order(expected)


def test_the_models_make_the_same_tables_as_the_migrations(
    any_server: TestServer, url: URL
) -> None:
    migrate.upgrade(urls_of(url))
    with any_server.database(migrated=False) as other:
        with migrate.connected(other) as connection:
            connection.execute(text("CREATE EXTENSION pg_trgm"))
            metadata.create_all(connection)
            connection.commit()
        assert facts_at(other) == facts_at(url)


def write_down() -> None:
    at_010 = in_order(with_additions(DESIGN, ADDITIONS["010"]))
    with server() as own, own.database() as url:
        added = additions(at_010, facts_at(url))
    text = json.dumps(ADDITIONS | {"head": added}, indent=1, ensure_ascii=False)
    ADDITIONS_FILE.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    write_down()
