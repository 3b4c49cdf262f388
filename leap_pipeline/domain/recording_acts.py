"""What a person can do about a recording as it stands, the most likely first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.domain.states import Platform, RecordingStatus


class Act(StrEnum):
    """`RUN` does what is missing or failed."""

    RUN = "run"
    PUBLISH = "publish"
    CANCEL = "cancel"
    UNSKIP = "unskip"
    RESTORE = "restore"
    FORCE = "force"
    RENAME = "rename"
    PAUSE = "pause"
    SKIP = "skip"
    DELETE = "delete"


MAIN = (Act.RUN, Act.PUBLISH, Act.CANCEL, Act.UNSKIP, Act.RESTORE)
"""Those that stand beside the name when they come first."""


@dataclass(frozen=True)
class Standing:
    """`at_work`: it is queued, running or waiting; `unfinished`: a stage is still to be done.

    `has_targets`: it is to be published somewhere; `failed_at` is a stage or a platform.
    """

    status: RecordingStatus
    state: DeleteState = DeleteState.ACTIVE
    at_work: bool = False
    unfinished: bool = True
    has_targets: bool = False
    failed_at: str | None = None
    paused: bool = False


def acts(standing: Standing, rights: Rights) -> tuple[Act, ...]:
    """What to offer; each service asks again whether it may be done."""
    if standing.state is DeleteState.HARD_DELETED:
        return ()
    may_delete = rights.may(Permission.DELETE_RECORDINGS)
    if standing.state is DeleteState.SOFT_DELETED:
        return (Act.RESTORE,) if may_delete else ()
    found = [*_first(standing, rights), *_others(standing)]
    return (*dict.fromkeys(found), *([Act.DELETE] if may_delete else []))


def _first(standing: Standing, rights: Rights) -> Iterator[Act]:
    status = standing.status
    if status is RecordingStatus.SKIPPED:
        yield Act.UNSKIP
    elif standing.at_work:
        yield Act.CANCEL
    elif status is not RecordingStatus.PENDING_SOURCE:
        publishes = standing.has_targets and rights.may(Permission.UPLOAD)
        failed_upload = standing.failed_at in tuple(Platform)
        if standing.unfinished and not failed_upload:
            yield Act.RUN
        if publishes and (failed_upload or status is RecordingStatus.PROCESSED):
            yield Act.PUBLISH
        if standing.unfinished:
            yield Act.RUN


def _others(standing: Standing) -> Iterator[Act]:
    if standing.status is RecordingStatus.SKIPPED:
        yield Act.RENAME
        return
    if not standing.at_work and standing.status is not RecordingStatus.PENDING_SOURCE:
        yield Act.FORCE
    yield Act.RENAME
    if not standing.paused:
        yield Act.PAUSE
    yield Act.SKIP
