"""Executes one queued run in this process, for machines on which no Dagster daemon lives.

    python -m leap_pipeline.orchestration.execute RUN [PARENT]

RUN is the id of a row of `recording_runs`, PARENT the process with which this one ends.
Exit code 0: it was carried out; 1: something failed.
"""

import sys
from datetime import UTC, datetime

from leap_pipeline.processes import die_with_parent, importing

with importing():
    from leap_pipeline.commands.dagster_home import PARTITIONS, instance
    from leap_pipeline.db.engine import Database
    from leap_pipeline.db.urls import resolve
    from leap_pipeline.orchestration.definitions import defs
    from leap_pipeline.orchestration.launches import selection_of, tags_of
    from leap_pipeline.services.launching import launch_now
    from leap_pipeline.settings import load_settings


def execute(run_id: int) -> bool:
    """Plan the row and carry it out; True where nothing failed."""
    settings = load_settings()
    urls = resolve(settings)
    launch = launch_now(Database(urls), run_id, datetime.now(UTC))
    if launch is None:
        return True
    with instance(settings, urls) as dagster:
        dagster.add_dynamic_partitions(PARTITIONS, [launch.partition])
        job = defs.resolve_job_def(str(launch.phase))
        result = job.execute_in_process(
            instance=dagster,
            partition_key=launch.partition,
            asset_selection=selection_of(launch),
            tags=tags_of(launch),
            raise_on_error=False,
        )
    return result.success


if __name__ == "__main__":
    if len(sys.argv) > 2:
        die_with_parent(int(sys.argv[2]))
    sys.exit(0 if execute(int(sys.argv[1])) else 1)
