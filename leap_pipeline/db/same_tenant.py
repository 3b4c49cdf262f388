"""References between rows stay within one tenant: the SQL of the triggers that see to it.

Composite foreign keys cannot: ON DELETE SET NULL would clear the owner too, and ids inside of JSON
are no keys. The triggers run before the row is written, so before any unique index is asked, and
read as who writes: to a tenant a row of another tenant is a row that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping

FUNCTION = """
CREATE OR REPLACE FUNCTION leap_references_of_{table}() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    stranger TEXT;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.user_id IS DISTINCT FROM OLD.user_id THEN
        RAISE EXCEPTION 'the owner of a row of {table} cannot be changed'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    {checks}
    RETURN NEW;
END $$
"""
# Without percent signs, which Alembic doubles where it writes a script.
COLUMN_CHECK = """
    IF NEW.{column} IS NOT NULL
        AND (TG_OP = 'INSERT' OR NEW.{column} IS DISTINCT FROM OLD.{column})
        AND NOT EXISTS (SELECT FROM {parent} AS parent WHERE parent.id = NEW.{column}
            AND parent.user_id IS NOT DISTINCT FROM NEW.user_id)
    THEN
        RAISE EXCEPTION USING
            MESSAGE = '{table}.{column}: there is no ' || NEW.{column} || ' in {parent}',
            ERRCODE = 'foreign_key_violation', TABLE = '{table}', COLUMN = '{column}';
    END IF;
"""
IDS_CHECK = """
    IF TG_OP = 'INSERT' OR NEW.{column} IS DISTINCT FROM OLD.{column} THEN
        SELECT given.id INTO stranger
            FROM jsonb_array_elements_text(CASE jsonb_typeof(NEW.{path})
                WHEN 'array' THEN NEW.{path} ELSE '[]' END) AS given (id)
            WHERE NOT EXISTS (SELECT FROM {parent} AS parent
                WHERE parent.user_id = NEW.user_id AND parent.id::TEXT = given.id)
            LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING
                MESSAGE = '{table}.{said}: there is no ' || COALESCE(stranger, 'null')
                    || ' in {parent}',
                ERRCODE = 'foreign_key_violation', TABLE = '{table}', COLUMN = '{column}';
        END IF;
    END IF;
"""
TRIGGERS = {
    "leap_references": "BEFORE INSERT",
    # Not for every UPDATE: most change a state and no reference.
    "leap_references_kept": "BEFORE UPDATE OF {columns}",
}


def keep_references(
    table: str, columns: Mapping[str, str], ids: Mapping[str, str] | None = None
) -> list[str]:
    """The SQL that makes the trigger of a table.

    `columns` maps each referencing column to its parent table, `ids` each JSON array of ids, such
    as `output_config->'preset_ids'`, to the table that they are of. An id that is no longer there
    stays where it is: only what a statement changes is looked at.
    """
    checks = [
        COLUMN_CHECK.format(table=table, column=column, parent=parent)
        for column, parent in columns.items()
    ]
    checks += [
        IDS_CHECK.format(
            table=table,
            path=path,
            said=path.replace("->", ".").replace("'", ""),
            column=path.partition("->")[0],
            parent=parent,
        )
        for path, parent in (ids or {}).items()
    ]
    watched = ["user_id", *columns, *(path.partition("->")[0] for path in ids or {})]
    return [
        FUNCTION.format(table=table, checks="".join(checks)),
        fixed_path(f"leap_references_of_{table}()"),
        *(f"DROP TRIGGER IF EXISTS {name} ON {table}" for name in TRIGGERS),
        *(
            f"CREATE TRIGGER {name} {when.format(columns=', '.join(watched))} ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION leap_references_of_{table}()"
            for name, when in TRIGGERS.items()
        ),
    ]


def fixed_path(function: str) -> str:
    """The SQL by which a function finds LEAP's tables whatever the caller's search path is."""
    return (
        f"DO $$ BEGIN EXECUTE 'ALTER FUNCTION {function} SET search_path = '"
        " || quote_ident(current_schema()) || ', pg_temp'; END $$"
    )


def forget_references(table: str) -> list[str]:
    """The SQL that takes it back."""
    return [
        *(f"DROP TRIGGER IF EXISTS {name} ON {table}" for name in TRIGGERS),
        f"DROP FUNCTION IF EXISTS leap_references_of_{table}()",
    ]
