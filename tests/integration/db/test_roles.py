"""The application's roles: made, granted, and what they may do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL

from leap_pipeline.db import migrate, roles
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import connect
from leap_pipeline.errors import UserActionError
from tests.support import rows
from tests.support.postgres import TestServer, login, urls_of


@pytest.fixture
def url(any_server: TestServer) -> Iterator[URL]:
    with any_server.database() as found:
        yield found


@pytest.fixture
def new_role(any_server: TestServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a role that the server does not have yet, in the place of the two."""
    name = f"leap_new_{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(roles, "ROLES", (name,))
    yield name
    with connect(any_server.superuser) as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def ensure(url: URL, *members: str) -> None:
    with migrate.connected(url) as connection, connection.begin():
        roles.ensure_roles(connection, members)


def may_act_as(url: URL, role: str) -> bool:
    try:
        with connect(url) as connection, connection.transaction():
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def test_roles_are_made_and_granted_without_a_superuser(
    any_server: TestServer, new_role: str
) -> None:
    with login(any_server) as application:
        ensure(any_server.admin, str(application.username))
        ensure(any_server.admin, str(application.username))
        assert may_act_as(any_server.admin, new_role)
        assert may_act_as(application, new_role)
    with connect(any_server.superuser) as connection:
        query = """
            SELECT rolcanlogin, rolbypassrls, rolsuper, rolcreaterole, rolcreatedb
            FROM pg_roles WHERE rolname = %s
        """
        assert connection.execute(query, [new_role]).fetchone() == (False,) * 5


def test_many_databases_make_the_roles_at_once(any_server: TestServer, new_role: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ensure, [any_server.admin] * 4))
    assert may_act_as(any_server.admin, new_role)


def test_without_createrole_the_sentence_holds_the_sql(
    any_server: TestServer, new_role: str
) -> None:
    with login(any_server) as weak:
        with pytest.raises(UserActionError) as refusal:
            ensure(weak)
        statements = str(refusal.value).partition(" run ")[2].rstrip(".")
        assert statements.startswith(f"CREATE ROLE {new_role} NOLOGIN; GRANT")
        with connect(any_server.superuser) as connection:
            connection.execute(statements.encode())
        ensure(weak)
        assert may_act_as(weak, new_role)


def test_who_may_not_grant_is_told_what_to_run(any_server: TestServer, new_role: str) -> None:
    with login(any_server) as weak, connect(any_server.superuser) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(new_role)))
        with pytest.raises(UserActionError, match=f'run GRANT {new_role} TO "login '):
            ensure(weak)


def test_a_role_that_sees_every_tenant_is_refused(any_server: TestServer, new_role: str) -> None:
    with connect(any_server.superuser) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} BYPASSRLS").format(sql.Identifier(new_role)))
    with pytest.raises(UserActionError, match="NOBYPASSRLS"):
        ensure(any_server.admin)


def test_an_unknown_member_is_said_in_a_sentence(any_server: TestServer, new_role: str) -> None:
    with pytest.raises(UserActionError, match="does not exist"):
        ensure(any_server.admin, "nobody of this name")


def test_an_application_with_a_login_of_its_own_gets_the_roles(
    any_server: TestServer, url: URL
) -> None:
    with login(any_server) as other:
        urls = replace(urls_of(url), application=other.set(database=url.database))
        migrate.upgrade(urls)
        database = Database(urls)
        with database.system() as session:
            rows_seen = session.connection().exec_driver_sql("SELECT name FROM subscription_plans")
            assert len(rows_seen.all()) == 4
        with database.tenant(rows.USER) as session:
            session.connection().exec_driver_sql("SELECT nextval('user_slug_seq')")


def test_the_system_writes_tables_and_tenants_none_without_a_policy(url: URL) -> None:
    with connect(url) as connection:
        connection.execute("CREATE TABLE made_later (id SERIAL PRIMARY KEY)")
        connection.execute("SET ROLE leap_system")
        connection.execute("INSERT INTO made_later DEFAULT VALUES")
        connection.execute("INSERT INTO base_configs (name, config_data) VALUES ('a', '{}')")
        connection.execute("UPDATE base_configs SET name = 'b'")
        connection.execute("DELETE FROM base_configs")
        connection.execute("SELECT nextval('recording_runs_id_seq')")
        connection.execute("SET ROLE leap_app")
        for statement in ("SELECT * FROM made_later", "INSERT INTO made_later DEFAULT VALUES"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


@pytest.mark.parametrize("role", ["leap_app", "leap_system"])
def test_the_roles_read_the_revision_and_change_no_table(url: URL, role: str) -> None:
    with connect(url) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        assert connection.execute("SELECT * FROM alembic_version").fetchone() == (migrate.head(),)
        for forbidden in (
            "UPDATE alembic_version SET version_num = '001'",
            "DELETE FROM alembic_version",
            "INSERT INTO alembic_version VALUES ('001')",
            "TRUNCATE recordings",
            "ALTER TABLE recordings ADD COLUMN mine INTEGER",
            "ALTER TABLE recordings DISABLE ROW LEVEL SECURITY",
            "DROP POLICY leap_app_select ON recordings",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())


def test_below_011_the_roles_have_no_rights(url: URL) -> None:
    migrate.downgrade(urls_of(url), "010")
    with connect(url) as connection:
        connection.execute("CREATE TABLE made_later (id SERIAL PRIMARY KEY)")
        connection.execute("SET ROLE leap_app")
        for table in ("users", "made_later", "alembic_version"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {table}".encode())


def test_tables_of_other_owners_are_left_alone(any_server: TestServer) -> None:
    with any_server.database(migrated=False) as url:
        inside = any_server.superuser.set(database=url.database)
        with connect(inside) as connection:
            connection.execute("CREATE TABLE extension_table (id SERIAL)")
        migrate.upgrade(urls_of(url))
        with connect(inside) as connection:
            query = "SELECT has_table_privilege('leap_app', 'extension_table', 'SELECT')"
            assert connection.execute(query).fetchone() == (False,)
