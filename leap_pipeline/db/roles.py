"""The two roles in which the application's transactions run.

They belong to the whole server: several databases share them, and migrations of two databases may
make them at the same moment. Their rights in a database are given by its migrations.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leap_pipeline.db.engine import APPLICATION_ROLE, SYSTEM_ROLE
from leap_pipeline.errors import DataError, UserActionError

ROLES = (APPLICATION_ROLE, SYSTEM_ROLE)

DUPLICATE = ("42710", "23505")
NO_RIGHT = ("42501",)
UNKNOWN_ROLE = "42704"
# Since 16 a membership may lack the right to SET ROLE, as the one that a role's maker gets does,
# and may give nothing without it.
SET_RIGHT_SINCE = 16


def ensure_roles(connection: Connection, members: Sequence[str] = ()) -> None:
    """Make the roles where they are missing, and grant them to the current user and the members.

    Does nothing where all is as it should be, so that it needs no right then. Runs in the
    caller's transaction. Raises UserActionError, with the SQL that an administrator has to run,
    where the current user lacks CREATEROLE or the right to grant.
    """
    me = connection.scalar(text("SELECT current_user"))
    if not isinstance(me, str):
        msg = "PostgreSQL named no current user."
        raise DataError(msg)
    for role in ROLES:
        _ensure_role(connection, role, me)
        for member in dict.fromkeys((me, *members)):
            _ensure_member(connection, role, member)


def taking_right(major: int) -> str:
    """What PostgreSQL of that version calls the right to take a role."""
    return "SET" if major >= SET_RIGHT_SINCE else "MEMBER"


def _ensure_role(connection: Connection, role: str, me: str) -> None:
    query = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = :role")
    above_policies = connection.scalar(query, {"role": role})
    if above_policies:
        msg = (
            f"The role {role} is a superuser or bypasses row security, so it would see every"
            f" tenant: run ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS."
        )
        raise UserActionError(msg)
    if above_policies is None:
        _run(
            connection,
            f"CREATE ROLE {role} NOLOGIN NOBYPASSRLS",
            f"{me} may not create the role {role}: let an administrator run CREATE ROLE {role}"
            f" NOLOGIN; GRANT {role} TO {_quoted(connection, me)}.",
        )


def _ensure_member(connection: Connection, role: str, member: str) -> None:
    major = int((connection.dialect.server_version_info or (0,))[0])
    query = text(
        "SELECT pg_has_role(oid, CAST(:role AS name), :right) FROM pg_roles WHERE rolname = :member"
    )
    if connection.scalar(query, {"member": member, "role": role, "right": taking_right(major)}):
        return
    # A login sees nothing of a role's before it took the role.
    options = " WITH INHERIT FALSE, SET TRUE" if major >= SET_RIGHT_SINCE else ""
    statement = f"GRANT {role} TO {_quoted(connection, member)}{options}"
    _run(
        connection,
        statement,
        f"{member} may not act as {role}, and this connection's user may not grant it: let an"
        f" administrator run {statement}.",
    )


def _run(connection: Connection, statement: str, refusal: str) -> None:
    """In a savepoint, because losing a race must not cost the transaction."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        code = getattr(error.orig, "sqlstate", None)
        if code in DUPLICATE:
            return
        if code in NO_RIGHT:
            raise UserActionError(refusal) from error
        if code == UNKNOWN_ROLE:
            msg = f"PostgreSQL refused {statement}: the user of LEAP_DATABASE_URL does not exist."
            raise UserActionError(msg) from error
        raise


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
