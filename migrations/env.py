"""How Alembic reaches the database, for bare `alembic` and for `leap_pipeline.db.migrate` alike.

`config.attributes` may hold `connection` (open, in no transaction), `role_members` (logins beside
the migrating user that take the application's roles) and `yes` (rows may be deleted). Bare
`alembic` takes them from the settings and from `-x yes=true`.
"""

from __future__ import annotations

from collections.abc import Iterable
from logging.config import fileConfig
from typing import Any

from alembic import context
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection

from leap_pipeline.db import migrate
from leap_pipeline.db.databases import opened
from leap_pipeline.db.losses import guarded
from leap_pipeline.db.metadata import metadata
from leap_pipeline.db.migration_lock import migrating
from leap_pipeline.db.urls import resolve
from leap_pipeline.errors import LeapError
from leap_pipeline.settings import load_settings

config = context.config


def number(
    _context: MigrationContext,
    _revision: str | Iterable[str | None] | Iterable[str],
    directives: list[MigrationScript],
) -> None:
    """Give a new revision the next three-digit id, unless `--rev-id` names another."""
    if getattr(config.cmd_opts, "rev_id", None) is None:
        taken = [int(script.revision) for script in context.script.walk_revisions()]
        for directive in directives:
            directive.rev_id = f"{max(taken, default=0) + 1:03d}"


def options() -> dict[str, Any]:
    return {
        "target_metadata": metadata,
        "compare_type": True,
        "compare_server_default": True,
        "include_object": migrate.is_compared,
        "transaction_per_migration": True,
        "process_revision_directives": number,
    }


def run_offline() -> None:
    """SQL to standard output, or a command that needs nothing of a database."""
    context.configure(dialect_name="postgresql", as_sql=True, **options())
    if context.is_offline_mode():
        with context.begin_transaction():
            context.run_migrations()
    else:
        context.run_migrations()


def run(connection: Connection, role_members: tuple[str, ...]) -> None:
    """Migrate under the lock; without consent only what deletes no rows."""
    with migrating(connection):
        arguments: dict[str, Any] = {"connection": connection, "role_members": role_members}
        context.configure(**arguments, **options())
        if not consented():
            plan = context.get_context().opts["fn"]
            context.configure(**arguments, **options(), fn=guarded(plan))
        with context.begin_transaction():
            context.run_migrations()


def consented() -> bool:
    said = context.get_x_argument(as_dictionary=True).get("yes", "")
    return bool(config.attributes.get("yes")) or said.lower() in ("true", "yes", "1")


def run_online() -> None:
    connection = config.attributes.get("connection")
    if connection is not None:
        run(connection, config.attributes.get("role_members", ()))
        return
    urls = resolve(load_settings())
    with opened(urls.migration):  # makes the database where it is missing
        pass
    with migrate.connected(urls.migration) as own:
        run(own, migrate.role_members(urls))


def needs_no_database() -> bool:
    """A hand-written revision and a plain history; env.py runs for them to number revisions."""
    asked = (getattr(config.cmd_opts, name, None) for name in ("autogenerate", "indicate_current"))
    return any(answer is False for answer in asked)


def main() -> None:
    bare = config.cmd_opts is not None
    if bare and config.config_file_name is not None:
        fileConfig(config.config_file_name, disable_existing_loggers=False)
    if context.is_offline_mode() or needs_no_database():
        run_offline()
        return
    try:
        run_online()
    except LeapError as error:
        if bare:
            raise CommandError(str(error)) from error
        raise


main()
