"""One setting, three URLs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_pipeline.db.urls import plain, resolve, where
from leap_pipeline.errors import UserActionError
from leap_pipeline.settings import Settings

APPLICATION = "postgresql+psycopg://"
DAGSTER = "postgresql+psycopg2://"


def resolved(**urls: str) -> tuple[str, str, str]:
    settings = Settings(home=Path("/nonexistent"), **urls)  # type: ignore[arg-type]
    found = resolve(settings)
    application, migration, dagster = (
        url.render_as_string(hide_password=False)
        for url in (found.application, found.migration, found.dagster)
    )
    return application, migration, dagster


@pytest.mark.parametrize(
    ("given_url", "rest", "dagster_rest"),
    [
        ("postgresql://u:p@db:6432/leap", "u:p@db:6432/leap", "u:p@db:6432/leap_dagster"),
        ("postgres://u:p@db/leap", "u:p@db/leap", "u:p@db/leap_dagster"),
        ("postgresql+psycopg://db/leap", "db/leap", "db/leap_dagster"),
        ("postgresql+psycopg2://db/leap", "db/leap", "db/leap_dagster"),
        ("postgresql+asyncpg://db/leap", "db/leap", "db/leap_dagster"),
        ("  postgresql://db/leap\n", "db/leap", "db/leap_dagster"),
        (
            "postgresql://u@db/leap?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "u@db/leap?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
            "u@db/leap_dagster?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
        ),
        (
            "postgresql:///leap?host=/var/run/postgresql",
            "/leap?host=%2Fvar%2Frun%2Fpostgresql",
            "/leap_dagster?host=%2Fvar%2Frun%2Fpostgresql",
        ),
        ("postgresql://u:p%40ss@[::1]/leap", "u:p%40ss@[::1]/leap", "u:p%40ss@[::1]/leap_dagster"),
    ],
)
def test_one_url_serves_every_consumer(given_url: str, rest: str, dagster_rest: str) -> None:
    application, migration, dagster = resolved(database_url=given_url)
    assert application == migration == APPLICATION + rest
    assert dagster == DAGSTER + dagster_rest


def test_each_consumer_may_have_its_own() -> None:
    assert resolved(
        database_url="postgresql://app@pool:6432/leap",
        migration_url="postgres://owner@db/leap",
        dagster_database_url="postgresql://dagster@other/engine",
    ) == (
        "postgresql+psycopg://app@pool:6432/leap",
        "postgresql+psycopg://owner@db/leap",
        "postgresql+psycopg2://dagster@other/engine",
    )


@pytest.mark.parametrize(
    ("given_url", "sentence"),
    [
        ("mysql://u:s3cret@db/leap", "LEAP_DATABASE_URL begins with mysql://"),
        ("sqlite:///leap.db", "runs on postgresql:// only"),
        ("db.example.org:5432/leap", "cannot be read as a URL"),
        ("postgresql://u:s3cret@db:port/leap", "cannot be read as a URL"),
        ("postgresql://u:p@s3cret@db/leap", "cannot be read as a URL"),
        ("postgresql://u:s3cret@db", "names no database"),
        ("postgresql://u:s3cret@db/", "names no database"),
    ],
)
def test_a_url_that_cannot_serve_is_refused_without_its_password(
    given_url: str, sentence: str
) -> None:
    with pytest.raises(UserActionError, match=sentence) as caught:
        resolved(database_url=given_url)
    assert "s3cret" not in str(caught.value)


def test_the_setting_at_fault_is_named() -> None:
    with pytest.raises(UserActionError, match="LEAP_MIGRATION_URL names no database"):
        resolved(database_url="postgresql://db/leap", migration_url="postgresql://db")
    with pytest.raises(UserActionError, match="LEAP_DAGSTER_DATABASE_URL begins with oracle"):
        resolved(database_url="postgresql://db/leap", dagster_database_url="oracle://db/x")


@settings(max_examples=40)
@given(
    password=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30),
    database=st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
)
def test_any_password_survives_the_way_to_libpq(password: str, database: str) -> None:
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy.engine import URL

    url = URL.create("postgresql", "me", password, "db", 5432, database)
    named = Settings(
        home=Path("/nonexistent"), database_url=url.render_as_string(hide_password=False)
    )
    found = conninfo_to_dict(plain(resolve(named).application))
    assert (found["password"], found["dbname"]) == (password, database)


def test_where_shows_the_place_and_no_secret() -> None:
    settings = Settings(
        home=Path("/nonexistent"), database_url="postgresql://u:s3cret@db:6432/leap"
    )
    assert where(resolve(settings).application) == "db:6432, database leap"
