"""The job of every firing: sync each source, match, plan, launch; its ops show what was done."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from functools import reduce
from typing import Any

import dagster as dg

from leap_pipeline.domain.shapes.sources import SyncCounts
from leap_pipeline.errors import LeapError
from leap_pipeline.orchestration.automation.asking import JOB
from leap_pipeline.orchestration.automation.firing import FiringResource
from leap_pipeline.services.firing_work import (
    Source,
    failed_sources,
    launch_all,
    match_new,
    sources_of,
    sync,
    to_do,
)
from leap_pipeline.services.firings import Begun

# One firing launches at most so many; the next goes on.
MOST_LAUNCHES = 500
MOST_REASONS = 20
# A source with a long history is left between two pages, and gone on with by the next firing.
SYNC_SECONDS = 900


@dataclass(frozen=True)
class ToSync:
    """One source of a firing."""

    begun: Begun
    source: Source


@dataclass(frozen=True)
class Synced:
    """What a sync counted, or why it could not."""

    counts: SyncCounts
    error: LeapError | None = None


@dataclass(frozen=True)
class Planned:
    """The recordings that have something left to do, and what went wrong before."""

    begun: Begun
    recordings: tuple[int, ...]
    error: str | None


@dg.op(
    out={
        "begun": dg.Out(is_required=False),
        "sources": dg.DynamicOut(),
    },
    description="Begins the firing; where it is not this run's to do, nothing follows.",
)
def open_firing(
    context: dg.OpExecutionContext, firing: FiringResource
) -> Iterator[dg.Output[Begun] | dg.DynamicOutput[ToSync]]:
    begun = firing.begin(context)
    if begun is None:
        context.log.info("The firing is another run's, is over, or may not run: nothing to do.")
        return
    with firing.step("open_firing") as database, database.system() as session:
        sources = sources_of(session, begun)
    firing.count(sources=len(sources))
    context.log.info("%s", begun)
    for source in sources:
        key = f"source_{source.id}"
        yield dg.DynamicOutput(ToSync(begun, source), mapping_key=key, output_name="sources")
    told: dict[str, Any] = {
        "job": begun.name,
        "due at": begun.due_at.astimezone(UTC).isoformat(),
        "missed before": begun.missed,
        "dry run": begun.dry_run,
        "sources": ", ".join(source.name for source in sources) or "none to sync",
    }
    yield dg.Output(begun, output_name="begun", metadata=told)


@dg.op(description="Asks one source what is new; a source that fails does not stop the others.")
def sync_source(context: dg.OpExecutionContext, firing: FiringResource, one: ToSync) -> Synced:
    with firing.step("sync_source") as database:
        try:
            counts = sync(database, one.begun, one.source, SYNC_SECONDS)
        except LeapError as error:
            context.log.warning("Source %s: %s", one.source.name, error)
            _note(context, source=one.source.name, error=str(error))
            return Synced(SyncCounts(), error)
    _note(context, source=one.source.name, **counts.model_dump())
    return Synced(counts)


@dg.op(description="Gives new recordings their first match, where the sync has not.")
def match(
    context: dg.OpExecutionContext, firing: FiringResource, begun: Begun, synced: list[Synced]
) -> Planned:
    total = reduce(_sum, (each.counts for each in synced), SyncCounts())
    failed = failed_sources([each.error for each in synced])
    with firing.step("match") as database:
        late = match_new(database, begun)
    firing.count(
        synced=total,
        sources_failed=sum(each.error is not None for each in synced),
        matched=total.matched + late,
    )
    _note(context, matched_by_sync=total.matched, matched_late=late, unmatched=total.unmatched)
    return Planned(begun, (), failed)


@dg.op(description="Which recordings of the job's sources and template have something left to do.")
def plan(context: dg.OpExecutionContext, firing: FiringResource, matched: Planned) -> Planned:
    begun = matched.begun
    with firing.step("plan") as database, database.system() as session:
        found = to_do(session, begun, MOST_LAUNCHES)
    firing.count(planned=len(found))
    _note(context, planned=len(found), recordings=found)
    return Planned(begun, tuple(found), matched.error)


@dg.op(description="Queues a run for each; a dry run tells which, and queues none.")
def launch(context: dg.OpExecutionContext, firing: FiringResource, planned: Planned) -> Planned:
    if planned.begun.dry_run:
        _note(context, would_launch=list(planned.recordings), launched=0)
        return planned
    with firing.step("launch") as database:
        done = launch_all(database, planned.begun, planned.recordings)
    firing.count(launched=len(done.runs), refused=len(done.refused))
    for recording_id, reason in list(done.refused.items())[:MOST_REASONS]:
        context.log.warning("Recording %s: %s", recording_id, reason)
    _note(context, launched=len(done.runs), nothing_left=done.nothing, refused=len(done.refused))
    return planned


@dg.op(description="Writes how it went; a source that could not be synced fails the run here.")
def close_firing(context: dg.OpExecutionContext, firing: FiringResource, launched: Planned) -> None:
    counts = firing.count()
    firing.close(launched.error)
    context.log.info("%s", counts)
    _note(context, **counts.model_dump(exclude={"synced"}), synced=counts.synced.model_dump())
    if launched.error is not None:
        raise dg.Failure(launched.error, allow_retries=False)


@dg.job(
    name=JOB,
    # Ahead of the recordings that wait, of which there may be a thousand.
    tags={"dagster/priority": "10"},
    # A process a step costs five times the CPU, and one hold on the firing spans all of them.
    executor_def=dg.in_process_executor,
    resource_defs={"firing": FiringResource(), "io_manager": dg.mem_io_manager},
    description=(
        "One firing of a user's automation. Which automation, due when: the run's tags. The "
        "recordings that it launches are runs of their own, of the location `leap`."
    ),
)
def automation_tick() -> None:
    begun, sources = open_firing()
    matched = match(begun, sources.map(sync_source).collect())
    close_firing(launch(plan(matched)))


def _sum(one: SyncCounts, other: SyncCounts) -> SyncCounts:
    added = other.model_dump()
    return SyncCounts(**{name: count + added[name] for name, count in one.model_dump().items()})


def _note(context: dg.OpExecutionContext, **found: Any) -> None:
    context.add_output_metadata(found)
    context.log.info("%s", found)
