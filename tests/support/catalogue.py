"""What PostgreSQL's catalogue says of the tables of the schema `public`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    ORDER BY c.relname, a.attnum
"""
INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"
# Since PostgreSQL 18 a NOT NULL is a constraint of the kind n.
CONSTRAINTS = """
    SELECT t.relname, c.conname || ': ' || pg_get_constraintdef(c.oid)
    FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
    WHERE c.connamespace = 'public'::regnamespace AND c.contype <> 'n'
    ORDER BY c.conname
"""
SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"

Facts = dict[str, Any]


def facts(connection: Connection) -> Facts:
    """`tables` (columns as [type, nullable, default], indexes, constraints) and `sequences`.

    Alembic's own table is left out.
    """
    tables: dict[str, Any] = {}
    for table, column, *described in connection.execute(text(COLUMNS)):
        found = tables.setdefault(table, {"columns": {}, "indexes": [], "constraints": []})
        found["columns"][column] = described
    for kind, query in (("indexes", INDEXES), ("constraints", CONSTRAINTS)):
        for table, definition in connection.execute(text(query)):
            tables[table][kind].append(definition)
    tables.pop("alembic_version", None)
    return {"tables": tables, "sequences": list(connection.scalars(text(SEQUENCES)))}


def with_additions(base: Facts, added: Facts) -> Facts:
    """The base with the tables, columns, indexes and sequences that were added to it."""
    tables = {name: dict(table) for name, table in base["tables"].items()}
    for name, table in added["tables"].items():
        known = tables.get(name, {"columns": {}, "indexes": [], "constraints": []})
        tables[name] = {
            "columns": known["columns"] | table.get("columns", {}),
            "indexes": sorted(known["indexes"] + table.get("indexes", [])),
            "constraints": sorted(known["constraints"] + table.get("constraints", [])),
        }
    return {"tables": tables, "sequences": sorted(base["sequences"] + added["sequences"])}


def additions(base: Facts, full: Facts) -> Facts:
    """What `with_additions` has to add to the base; nothing of the base may be gone or changed."""
    tables: dict[str, Any] = {}
    for name, table in full["tables"].items():
        known = base["tables"].get(name, {"columns": {}, "indexes": [], "constraints": []})
        added = {
            "columns": {k: v for k, v in table["columns"].items() if k not in known["columns"]},
            "indexes": [each for each in table["indexes"] if each not in known["indexes"]],
            "constraints": [
                each for each in table["constraints"] if each not in known["constraints"]
            ],
        }
        if any(added.values()):
            tables[name] = {kind: found for kind, found in added.items() if found}
    sequences = [name for name in full["sequences"] if name not in base["sequences"]]
    return {"tables": tables, "sequences": sequences}
