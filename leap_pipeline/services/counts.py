"""The kept numbers of recordings, made short again."""

from __future__ import annotations

from sqlalchemy import text

from leap_pipeline.db.engine import Database

# Whoever reads in between sees the rows before or the sum after, never both and never neither.
COMPACT = text("""
    WITH several AS (
        SELECT user_id, status, delete_state FROM recording_counts
        GROUP BY user_id, status, delete_state
        HAVING count(*) > 1 OR sum(recordings) = 0
    ), gone AS (
        DELETE FROM recording_counts AS counted USING several
        WHERE counted.user_id IS NOT DISTINCT FROM several.user_id
            AND counted.status = several.status AND counted.delete_state = several.delete_state
        RETURNING counted.user_id, counted.status, counted.delete_state, counted.recordings
    ), kept AS (
        INSERT INTO recording_counts (user_id, status, delete_state, recordings)
        SELECT user_id, status, delete_state, sum(recordings) FROM gone
        GROUP BY user_id, status, delete_state HAVING sum(recordings) <> 0
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone) - (SELECT count(*) FROM kept)
""")


def compact_counts(database: Database) -> int:
    """Replace changes by their sums; the number of rows that this saved."""
    with database.system() as session:
        return int(session.scalar(COMPACT) or 0)
