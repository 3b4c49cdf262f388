"""Two tenants with a row in every table, and what one of them can find out about the other.

Rows, foreign keys and unique keys come from the metadata: a new table is tried without anybody
thinking of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    Numeric,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import INET, JSONB

from leap_pipeline.db.metadata import metadata

ADA = "01J0000000000000000000ADA0"
BOB = "01J0000000000000000000B0B0"
NOBODY = 2_000_000_000
TABLES = [table for table in metadata.sorted_tables if table.name != "recording_counts"]
OWNED = [table for table in metadata.sorted_tables if "user_id" in table.columns]
# Ids that are in JSON and no foreign keys: the column, the document, the table that they are of.
ID_LISTS: dict[str, list[tuple[str, str, str]]] = {
    "automation_jobs": [("source_ids", "[{}]", "input_sources")],
    "recording_templates": [
        ("output_config", '{{"preset_ids": [{}]}}', "output_presets"),
        ("matching_rules", '{{"source_ids": [{}]}}', "input_sources"),
    ],
    "user_configs": [("upload_config", '{{"preset_ids": [{}]}}', "output_presets")],
}
Connection = psycopg.Connection[Any]
Values = dict[str, Any]


def owner_column(table: Table) -> str | None:
    """The column that names whose a row is."""
    if table.name == "users":
        return "id"
    return next((name for name in ("user_id", "owner_id") if name in table.columns), None)


@dataclass
class World:
    """The keys of the rows that were put there: by owner, then by table."""

    keys: dict[str, dict[str, Any]] = field(default_factory=dict)

    def values(self, table: Table, owner: str, tag: str) -> Values:
        """A row of the owner's that can be inserted; `tag` makes its texts unlike other rows'."""
        found: Values = {}
        for column in table.columns:
            key = next(iter(column.foreign_keys), None)
            if column.name == owner_column(table):
                found[column.name] = owner
            elif key is not None:
                found[column.name] = self._parent(key, owner)
            elif not (column.nullable or column.server_default is not None or column.primary_key):
                found[column.name] = plain(column, owner, tag)
        return found

    def _parent(self, key: ForeignKey, owner: str) -> Any:
        parent = key.column.table.name
        return owner if parent == "users" else self.keys[owner].get(parent)


def plain(column: Column[Any], owner: str, tag: str) -> Any:
    kind = column.type
    if isinstance(kind, JSONB):
        return Jsonb({})
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, Date):
        return date(2026, 11, 22)
    if isinstance(kind, DateTime):
        return datetime(2026, 11, 22, tzinfo=UTC)
    if isinstance(kind, INET):
        return "192.0.2.1"
    if isinstance(kind, Integer | Numeric):
        return 1 + len(owner) + sum(map(ord, owner + tag))
    assert isinstance(kind, String), column
    text = f"{tag}{owner[-4:]}"
    return text[: kind.length or 20] if kind.length is None or kind.length > 6 else "202611"


def populate(connection: Connection) -> World:
    """As the owner of the schema, who may write everything."""
    world = World({ADA: {}, BOB: {}})
    connection.execute("INSERT INTO base_configs (name, config_data) VALUES ('for all', '{}')")
    for owner in (ADA, BOB):
        for table in TABLES:
            values = world.values(table, owner, "row")
            if table.name == "users":
                values["id"] = owner
            world.keys[owner][table.name] = insert(connection, table.name, values)
        for table_name, lists in ID_LISTS.items():
            for column, document, parent in lists:
                said = document.format(world.keys[owner][parent])
                connection.execute(
                    sql.SQL("UPDATE {} SET {} = %s WHERE id = %s").format(
                        sql.Identifier(table_name), sql.Identifier(column)
                    ),
                    [Jsonb(json.loads(said)), world.keys[owner][table_name]],
                )
        world.keys[owner]["recording_counts"] = one(
            connection, "SELECT min(id) FROM recording_counts WHERE user_id = %s", owner
        )
    return world


def one(connection: Connection, query: str, *values: Any) -> Any:
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return row[0]


def insert(connection: Connection, table: str, values: Values, *, returning: bool = True) -> Any:
    row = sql.SQL("({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join([sql.Placeholder()] * len(values)),
    )
    statement = sql.SQL("INSERT INTO {} {} {}").format(
        sql.Identifier(table),
        row if values else sql.SQL("DEFAULT VALUES"),
        sql.SQL("RETURNING id" if returning else ""),
    )
    found = connection.execute(statement, list(values.values()))
    return found.fetchone()[0] if returning else None  # type: ignore[index]


class Tenant:
    """One tenant's statements in a transaction that is never kept."""

    def __init__(self, connection: Connection, user_id: str) -> None:
        self.connection = connection
        self.user_id = user_id
        self.untouchable: tuple[Table, list[Any]] | None = None
        """A table, and the rows of it that must stay as they are."""

    def take(self, role: str = "leap_app") -> None:
        self.connection.execute(
            "SELECT set_config('role', %s, true), set_config('leap.user_id', %s, true)",
            [role, self.user_id],
        )

    def outcome(self, run: Any) -> str:
        """What a statement led to; the savepoint takes it back."""
        try:
            with self.connection.transaction(force_rollback=True):
                said = f"done: {run()}"
                return f"TOUCHED {said}" if self._touched() else said
        except psycopg.Error as error:
            return f"{error.sqlstate} {error.diag.message_primary}"

    def _touched(self) -> bool:
        if self.untouchable is None:
            return False
        table, rows = self.untouchable
        self.connection.execute("RESET ROLE")
        return strangers(picture(self.connection, table), table) != rows


def leaks(connection: Connection, table: Table, world: World) -> Iterator[str]:
    """What Ada can see, change or find out of Bob's in a table, and what of hers is missing."""
    with connection.transaction(force_rollback=True):
        before = picture(connection, table)
        if not before:
            yield "the owner of the schema sees no rows"
        yield from _roles(connection, table, len(before))
        if table.name in SYSTEMS:
            yield from _mixed_by_the_system(connection, table, world)
        ada = Tenant(connection, ADA)
        ada.untouchable = table, strangers(before, table)
        ada.take()
        yield from _reads(ada, table)
        yield from _writes(ada, table, world)
        yield from _probes(ada, table, world)
        connection.execute("RESET ROLE")
        yield from _without_a_tenant(connection, table)


def picture(connection: Connection, table: Table) -> list[Any]:
    query = sql.SQL("SELECT to_jsonb(t) FROM {} AS t ORDER BY id").format(
        sql.Identifier(table.name)
    )
    return [row[0] for row in connection.execute(query)]


def strangers(rows: list[Any], table: Table) -> list[Any]:
    owner = owner_column(table)
    return [row for row in rows if owner is None or row[owner] != ADA]


def _roles(connection: Connection, table: Table, number: int) -> Iterator[str]:
    with connection.transaction(force_rollback=True):
        Tenant(connection, "").take("leap_system")
        if len(picture(connection, table)) != number:
            yield "the system does not see every row"
        if not table.name.startswith(("audit", "recording_counts")):
            query = sql.SQL("DELETE FROM {} WHERE false").format(sql.Identifier(table.name))
            connection.execute(query)


def _mixed_by_the_system(connection: Connection, table: Table, world: World) -> Iterator[str]:
    """Rows of one tenant that name what is another's, put in by who may do everything."""
    for column, parent in _parents(table):
        values = world.values(table, ADA, "mixed") | {column: world.keys[BOB][parent]}
        with connection.transaction(force_rollback=True):
            system = Tenant(connection, "")
            system.take("leap_system")
            said = system.outcome(
                lambda values=values: insert(connection, table.name, values, returning=False)
            )
        if said.startswith("done"):
            yield f"{column} of a row of Ada's names a row of Bob's in {parent}"


def _reads(ada: Tenant, table: Table) -> Iterator[str]:
    query = sql.SQL("SELECT to_jsonb(t) FROM {} AS t").format(sql.Identifier(table.name))
    try:
        with ada.connection.transaction():
            rows = [row[0] for row in ada.connection.execute(query)]
    except psycopg.errors.InsufficientPrivilege:
        if table.name in READABLE:
            yield "may not be read at all"
        return
    owner = owner_column(table)
    if table.name not in READABLE:
        yield "may be read"
    if owner is None and table.name not in SHARED:
        yield "has no owner and is read"
    if any(row[owner] not in (ADA, None) for row in rows if owner is not None):
        yield "shows another tenant's rows"
    if any(owner is not None and row[owner] is None for row in rows) and table.name not in SHARED:
        yield "shows rows without an owner"
    if not rows:
        yield "hides the tenant's own rows"


# By the product's rules, said here a second time on purpose.
SHARED = {"subscription_plans", "base_configs"}
READ_ONLY = {"refresh_tokens", "user_subscriptions", "quota_change_history", "subscription_plans"}
SYSTEMS = {
    "one_time_links",
    "login_attempts",
    "audit_log",
    "celery_beat_schedule_entry",
    "celery_crontab_schedule",
    "celery_interval_schedule",
    "adopted_rows",
    "webhook_inbox",
    "rate_buckets",
    "youtube_quota_ledger",
    "oauth_states",
}
READABLE = {table.name for table in metadata.sorted_tables} - SYSTEMS
WRITABLE = READABLE - READ_ONLY - {"users", "recording_counts"}
UNDELETABLE = {"quota_usage", "notices"}
# Where a tenant changes one column alone.
CHANGEABLE = {"users": "full_name", "notices": "read_at"}


def _writes(ada: Tenant, table: Table, world: World) -> Iterator[str]:
    connection, name = ada.connection, sql.Identifier(table.name)
    own = world.values(table, ADA, "new")
    foreign = orphaned(table, world.values(table, BOB, "new"))
    returning = table.name != "audit_log"
    if owner_column(table) not in (None, "id"):
        said = ada.outcome(lambda: insert(connection, table.name, foreign, returning=False))
        # A parent of the other's is refused before the policy is asked.
        if not said.startswith(("42501", "23503")):
            yield f"a new row for another tenant: {said}"
    said = ada.outcome(
        lambda: insert(connection, table.name, _fresh(own, table), returning=returning)
    )
    if said.startswith(("done", "23505")) != (table.name in WRITABLE | {"audit_log"}):
        yield f"a new row of one's own: {said}"
    # Reading nothing, so that the policy for reading does not stand in for the one for writing.
    column = _changeable(table)
    update = sql.SQL("UPDATE {} SET {} = {}").format(
        name, sql.Identifier(column.name), sql.Literal(plain(column, ADA, "changed"))
    )
    delete = sql.SQL("DELETE FROM {}").format(name)
    for what, statement, allowed in (
        ("changing", update, WRITABLE | {"users"}),
        ("deleting", delete, WRITABLE - UNDELETABLE),
    ):
        said = ada.outcome(lambda statement=statement: connection.execute(statement).rowcount)
        if (said == "done: 1") != (table.name in allowed):
            yield f"{what} one's own rows: {said}"
    if "user_id" in table.columns:
        statement = sql.SQL("UPDATE {} SET user_id = %s").format(name)
        said = ada.outcome(lambda: connection.execute(statement, [BOB]).rowcount)
        if not said.startswith("42501"):
            yield f"giving a row to another tenant: {said}"


def orphaned(table: Table, values: Values) -> Values:
    """Without the parents that a row need not have."""
    return {
        name: value
        for name, value in values.items()
        if not (table.columns[name].foreign_keys and table.columns[name].nullable)
        or name == owner_column(table)
    }


def _fresh(values: Values, table: Table) -> Values:
    """Without the parts that the tenant's first row has already taken."""
    return {key: "203001" if key == "period" else value for key, value in values.items()}


def _changeable(table: Table) -> Column[Any]:
    if table.name in CHANGEABLE:
        return table.columns[CHANGEABLE[table.name]]
    unique = {name for names in _unique(table) for name in names}
    fixed = unique | {"user_id", "owner_id"}
    return next(c for c in table.columns if c.name not in fixed and not c.foreign_keys)


def _probes(ada: Tenant, table: Table, world: World) -> Iterator[str]:
    connection = ada.connection
    for column, parent in _parents(table):
        said = [
            _without_number(
                ada.outcome(
                    lambda key=key, column=column: insert(
                        connection,
                        table.name,
                        world.values(table, ADA, "probe") | {column: key},
                        returning=table.name != "audit_log",
                    )
                )
            )
            for key in (world.keys[BOB][parent], NOBODY)
        ]
        if said[0] != said[1] or said[0].startswith("done"):
            yield f"{column} tells whether {parent} has a row: {said}"
    for column, document, parent in ID_LISTS.get(table.name, []):
        said = [
            _without_number(
                ada.outcome(
                    lambda key=key, column=column, document=document: (
                        connection.execute(
                            sql.SQL("UPDATE {} SET {} = %s").format(
                                sql.Identifier(table.name), sql.Identifier(column)
                            ),
                            [Jsonb(json.loads(document.format(key)))],
                        ).rowcount
                    )
                )
            )
            for key in (world.keys[BOB][parent], NOBODY)
        ]
        if said[0] != said[1] or said[0].startswith("done"):
            yield f"{column} tells whether {parent} has a row: {said}"
    for columns in _unique(table):
        taken = world.values(table, BOB, "row") | {"id": world.keys[BOB][table.name]}
        fresh = world.values(table, BOB, "fresh") | {"id": NOBODY}
        outcomes = []
        for source in (taken, fresh):
            values = world.values(table, ADA, "unique")
            values |= {name: source[name] for name in columns if name in source}
            if owner_column(table) in values and owner_column(table) != "id":
                values[str(owner_column(table))] = ADA
            outcomes.append(
                ada.outcome(
                    lambda values=values: insert(
                        connection, table.name, values, returning=table.name != "audit_log"
                    )
                )
            )
        if _verdict(outcomes[0]) != _verdict(outcomes[1]):
            yield f"{columns} tells what is taken: {outcomes}"


def _verdict(outcome: str) -> str:
    return "done" if outcome.startswith("done") else _without_number(outcome)


def _without_number(said: str) -> str:
    return "".join(each for each in said if not each.isdigit())


def _parents(table: Table) -> list[tuple[str, str]]:
    """Foreign keys to rows that belong to tenants."""
    return [
        (column.name, key.column.table.name)
        for column in table.columns
        for key in column.foreign_keys
        if "user_id" in key.column.table.columns
    ]


def _unique(table: Table) -> list[list[str]]:
    constraints = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    indexes = [each for each in table.indexes if each.unique]
    keys = [*(each.columns for each in constraints), *(each.columns for each in indexes)]
    return [["id"], *([column.name for column in key] for key in keys)]


def _without_a_tenant(connection: Connection, table: Table) -> Iterator[str]:
    for user_id in ("", "no such user"):
        nobody = Tenant(connection, user_id)
        with connection.transaction(force_rollback=True):
            nobody.take()
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name))
            said = nobody.outcome(lambda query=query: connection.execute(query).fetchone())
            seen = said.startswith("done") and said != "done: (0,)"
            if seen and not (user_id and table.name in SHARED):
                yield f"without a tenant: {said}"
