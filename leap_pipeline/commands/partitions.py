"""Dagster's partitions of recordings that are no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leap_pipeline.commands.dagster_home import PARTITIONS
from leap_pipeline.db.engine import Database
from leap_pipeline.services.retention import live_partitions

if TYPE_CHECKING:
    from dagster import DagsterInstance


def forget_partitions(dagster: DagsterInstance, database: Database) -> list[str]:
    """Take the partitions of recordings that are gone for good from Dagster; their keys."""
    # Known ones are read before the live ones: what comes in meanwhile is not among them.
    known = dagster.get_dynamic_partitions(PARTITIONS)
    with database.system() as session:
        live = live_partitions(session)
    gone = [key for key in known if key not in live]
    for key in gone:
        dagster.delete_dynamic_partition(PARTITIONS, key)
    return gone
