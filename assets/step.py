"""What every asset does round its own work: claim, plan again, make, commit, tell Dagster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from assets import checks
from assets.partitions import recordings
from leap_pipeline.domain.planner import DONE, PLATFORM_OF, Asset
from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.errors import (
    AlreadyRunning,
    LeapError,
    MustWaitError,
    QuotaExceeded,
    Superseded,
    TransientError,
)
from leap_pipeline.redaction import redact
from leap_pipeline.services.work import Artifact, Begun, Work
from resources.leap import PHASE_TAG, LeapResource

Step = dg.MaterializeResult[Any]


@dataclass(frozen=True)
class Made:
    """What an asset made in its scratch folder, and what is to be written and shown of it."""

    artifacts: Sequence[Artifact] = ()
    columns: dict[str, Any] = field(default_factory=dict)
    stage_meta: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    checks: Sequence[dg.AssetCheckResult] = ()
    held: AbstractContextManager[object] = field(default_factory=nullcontext)
    """Entered already; left when the artifacts are in place, or cannot be put there."""


Make = Callable[[Work, Begun, Path], Made | None]
"""None: what became of it is written already, and nothing was made."""
Declare = Callable[[Callable[..., Iterator[Step]]], dg.AssetsDefinition]


def artifact(
    asset: Asset,
    *,
    description: str,
    owner: str,
    kinds: set[str],
    deps: Sequence[Asset] = (),
    stage: str,
) -> Declare:
    """Declares the asset of one artifact with its checks.

    It is a multi-asset of one, since only those may leave out their checks together with
    themselves: a step that has nothing to do must not count as failed.
    """
    platform = PLATFORM_OF.get(asset)
    phase = Phase.PUBLISH if platform else Phase.PREPARE
    spec = dg.AssetSpec(
        str(asset),
        deps=[str(each) for each in deps],
        skippable=True,
        partitions_def=recordings,
        group_name=str(phase),
        owners=[f"team:{owner}"],
        kinds=kinds,
        tags={PHASE_TAG: str(phase), "leap/stage": stage},
        description=description,
    )
    return dg.multi_asset(
        name=str(asset), specs=[spec], check_specs=checks.specs(asset), can_subset=True
    )


def perform(
    context: dg.AssetExecutionContext, leap: LeapResource, asset: Asset, make: Make
) -> Iterator[Step]:
    """Run one asset of a recording; yields nothing where there is nothing for it to do.

    Dagster then skips what stands after it in the same run, and nothing is marked FAILED.
    """
    platform: Platform | None = PLATFORM_OF.get(asset)
    if not context.selected_asset_keys:
        context.log.info("Checks are answered when their asset is made; force its stage for that.")
        return
    try:
        work = leap.work(context, Phase.PUBLISH if platform else Phase.PREPARE, platform)
    except (AlreadyRunning, Superseded) as refused:
        context.log.info("Nothing done: %s", refused)
        return
    except QuotaExceeded as refused:
        raise dg.Failure(description=str(refused), allow_retries=False) from refused
    made: Made | None = None
    with _outcome_kept(context, work, asset) as kept:
        begun = kept.begun = work.begin(asset)
        if begun.left_out == DONE:
            context.log.info("Already done: its files are as an earlier run left them.")
            yield dg.MaterializeResult(asset_key=str(asset), metadata={"unchanged": True})
            return
        if begun.left_out is not None:
            _tell_why(context, asset, begun.left_out)
            return
        with work.scratch(asset) as folder:
            made = make(work, begun, folder)
            if made is None:
                work.let_go()
                return
            with ExitStack() as held:
                held.push(made.held)
                work.complete(
                    asset, begun, made.artifacts, columns=made.columns, stage_meta=made.stage_meta
                )
    if made is not None:
        yield dg.MaterializeResult(
            asset_key=str(asset), metadata=made.metadata, check_results=made.checks
        )


@dataclass
class _Kept:
    begun: Begun | None = None


@contextmanager
def _outcome_kept(context: dg.AssetExecutionContext, work: Work, asset: Asset) -> Iterator[_Kept]:
    """The border at which an asset's exception becomes the recording's state."""
    kept = _Kept()
    try:
        yield kept
    except dg.DagsterExecutionInterruptedError:
        work.shut_down = not _is_cancelled(context)
        raise
    except Superseded as gone:
        raise dg.Failure(description=str(gone), allow_retries=False) from gone
    except MustWaitError as wait:
        work.wait_until(wait.due_at, redact(str(wait)))
        context.log.info("Waiting until %s: %s", wait.due_at.isoformat(), wait)
    except TransientError:
        # The database is away, so nothing can be marked: the lock goes with this process, and
        # reconcile puts the work back.
        context.log.warning("The database or a service went away; the work will be taken up again.")
        raise
    except LeapError as error:
        reason = redact(str(error))
        work.fail(asset, kept.begun, reason)
        raise dg.Failure(description=reason, allow_retries=False) from error
    except Exception as error:  # border of an asset: whatever it is, the recording must say FAILED
        reason = redact(f"unexpected {type(error).__name__}: {error}")
        work.fail(asset, kept.begun, reason[:1000])
        raise


def _is_cancelled(context: dg.AssetExecutionContext) -> bool:
    """Whether a person cancelled the run in Dagster; otherwise its process is told to end."""
    run = context.instance.get_run_by_id(context.run_id)
    ending = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
    return run is not None and run.status in ending


def _tell_why(context: dg.AssetExecutionContext, asset: Asset, reason: str) -> None:
    context.log.warning("Left out: %s", reason)
    context.log_event(
        dg.AssetObservation(
            asset_key=str(asset),
            partition=context.partition_key,
            metadata={"left out": reason},
        )
    )
