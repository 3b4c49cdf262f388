"""Secrets are planted everywhere and everything goes wrong: none of them is found anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import plain
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.security.keys import FILE, KeyFile
from leap_pipeline.settings import CHECKOUT, Settings, child_environment
from tests.support.bench import make_bench

CANARY = "Kanarienvogel-7f3a9c"
# Where the secrets are meant to be, and nowhere else.
MEANT = (FILE, "database.url")
TABLES = """
    SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


def rows_of(url: URL) -> dict[str, str]:
    """Every table of a database as text."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        tables = [row[0] for row in connection.execute(TABLES)]
        return {
            table: "\n".join(
                str(row[0])
                for row in connection.execute(
                    sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t").format(sql.SQL(table))
                )
            )
            for table in tables
        }


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
        for path in folder.rglob("*")
        if path.is_file() and path.name not in MEANT
    }


@pytest.mark.slow
def test_no_planted_secret_is_found_anywhere(settings: Settings, database: Database) -> None:
    bench = make_bench(database, settings.storage)
    (settings.home / "logs").mkdir(parents=True)
    recording = bench.recording(download_status="PENDING", local_video_path=None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.canaries"],
        cwd=CHECKOUT,
        env=child_environment(
            {
                "LEAP_HOME": str(settings.home),
                "LEAP_STORAGE_ROOT": str(settings.storage),
                "LEAP_DATABASE_URL": str(settings.database_url),
                "CANARY": CANARY,
                "CANARY_PARTITION": partition_key(bench.slug, recording),
                "COLUMNS": "200",
            }
        ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    urls = database.urls
    places = {"stdout": done.stdout, "stderr": done.stderr} | files_of(settings.home)
    places |= {f"leap:{name}": said for name, said in rows_of(urls.application).items()}
    dagster = urls.application.set(database=urls.dagster.database)
    places |= {f"dagster:{name}": said for name, said in rows_of(dagster).items()}

    keys = KeyFile(settings.home / FILE).read()
    secrets = [CANARY, str(urls.application.password), *keys]
    found = [(where, secret) for where, said in places.items() for secret in secrets
             if secret in said]  # fmt: skip
    assert not found, found
    went_as_meant(done, places)
    assert len(keys) == 3


def went_as_meant(done: subprocess.CompletedProcess[str], places: dict[str, str]) -> None:
    """Everything was said that should be, only without the secrets."""
    for sentence in (
        "The zoom account “acc” is stored",
        "`credential.access_token` is missing; add it (wrong as well: `credential.acces_token`)",
        "The account's document is no JSON (line 1, column 2)",
        "Key 1 in LEAP_ENCRYPTION_KEYS is no Fernet key",
        "1 of 3 credentials cannot be decrypted",
        "refuses the password of",
        "RuntimeError: *** was refused at https://zoom.us/x?***",
    ):
        assert sentence in done.stdout + done.stderr, sentence
    log = places["logs/test.log"]
    assert "RuntimeError: *** was refused at https://zoom.us/x?*** (postgresql://" in log
    assert "[SQL parameters hidden due to hide_parameters=True]" in log
    events = places["dagster:public.event_logs"]
    for said in ("Authorization: ***", "STEP_FAILURE", "UserActionError", "KeyError", "said ***"):
        assert said in events, said
    assert "*** was refused" in places["leap:public.recordings"]
    assert "credential.create" in places["leap:public.audit_log"]
