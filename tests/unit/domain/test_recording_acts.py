"""What is offered for a recording in each of its states."""

from __future__ import annotations

import pytest

from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.domain.recording_acts import MAIN, Act, Standing, acts
from leap_pipeline.domain.states import RecordingStatus as R

ALL = Rights()
NONE = Rights(permissions=frozenset())


@pytest.mark.parametrize(
    ("standing", "first"),
    [
        (Standing(R.PENDING_SOURCE), None),
        (Standing(R.INITIALIZED), Act.RUN),
        (Standing(R.PROCESSING, at_work=True), Act.CANCEL),
        (Standing(R.PROCESSING), Act.RUN),
        (Standing(R.FAILED, failed_at="TRANSCRIBE", has_targets=True), Act.RUN),
        (Standing(R.FAILED, failed_at="VK", has_targets=True, unfinished=False), Act.PUBLISH),
        (Standing(R.PROCESSED, has_targets=True, unfinished=False), Act.PUBLISH),
        (Standing(R.PROCESSED, unfinished=False), None),
        (Standing(R.UPLOADING, at_work=True, unfinished=False), Act.CANCEL),
        (Standing(R.READY, has_targets=True, unfinished=False), None),
        (Standing(R.SKIPPED), Act.UNSKIP),
        (Standing(R.READY, state=DeleteState.SOFT_DELETED), Act.RESTORE),
    ],
)
def test_the_main_act_is_what_comes_next(standing: Standing, first: Act | None) -> None:
    found = acts(standing, ALL)
    assert (found[0] if found[0] in MAIN else None) is first
    assert len(set(found)) == len(found)


def test_what_is_not_permitted_is_not_offered() -> None:
    for status in R:
        for state in DeleteState:
            found = set(acts(Standing(status, state=state, has_targets=True), NONE))
            assert not found & {Act.DELETE, Act.RESTORE, Act.PUBLISH}
    only = Rights(permissions=frozenset({Permission.UPLOAD}))
    assert acts(Standing(R.PROCESSED, has_targets=True, unfinished=False), only)[0] is Act.PUBLISH


def test_nothing_is_offered_of_what_is_gone_for_good() -> None:
    assert acts(Standing(R.READY, state=DeleteState.HARD_DELETED), ALL) == ()


def test_what_is_at_work_is_not_forced_and_what_is_paused_not_paused_again() -> None:
    assert Act.FORCE not in acts(Standing(R.PROCESSING, at_work=True), ALL)
    assert Act.PAUSE not in acts(Standing(R.PROCESSING, paused=True), ALL)
    assert Act.DELETE in acts(Standing(R.PROCESSING, at_work=True), ALL)
