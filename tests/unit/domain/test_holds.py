"""Holds: which work each kind stops, and what the planner says then."""

from __future__ import annotations

import itertools

import pytest

from leap_pipeline.domain.holds import Hold, HoldKind, held
from leap_pipeline.domain.planner import (
    PREPARE_ASSETS,
    UPLOADS,
    PlanInput,
    plan_prepare,
    plan_publish,
)
from leap_pipeline.domain.shapes.processing import ProcessingConfig
from leap_pipeline.domain.states import (
    DownloadStatus,
    Phase,
    Platform,
    Stage,
    StageStatus,
    TargetStatus,
)
from leap_pipeline.domain.status import RecordingFacts, StageFact, TargetFact

Y, V = Platform.YOUTUBE, Platform.VK
PIECES = (None, Y, V)
# Which pieces of work (None = prepare) a hold stops, by its kind and its target.
STOPPED: dict[tuple[HoldKind, Platform | None], tuple[Platform | None, ...]] = {
    (HoldKind.PAUSE, None): (None, Y, V),
    (HoldKind.QUALITY, None): (Y, V),
    (HoldKind.APPROVAL, None): (Y, V),
    (HoldKind.DOUBTFUL_UPLOAD, None): (Y, V),
    **{(kind, platform): (platform,) for kind in HoldKind for platform in Platform},
}


def given(*holds: Hold, deleted: bool = False) -> PlanInput:
    facts = RecordingFacts(
        download=DownloadStatus.COMPLETED,
        stages={stage: StageFact(StageStatus.PENDING) for stage in Stage},
        targets={platform: TargetFact(TargetStatus.NOT_UPLOADED) for platform in Platform},
    )
    return PlanInput(facts=facts, config=ProcessingConfig(), holds=holds, deleted=deleted)


@pytest.mark.parametrize(
    ("kind", "on", "piece"),
    [
        pytest.param(*each, id="-".join(str(part) for part in each))
        for each in itertools.product(HoldKind, PIECES, PIECES)
    ],
)
def test_a_hold_stops_what_its_kind_and_target_say_and_nothing_else(
    kind: HoldKind, on: Platform | None, piece: Platform | None
) -> None:
    hold = Hold(kind, "because", on)
    stops = piece in STOPPED[kind, on]
    phase = Phase.PREPARE if piece is None else Phase.PUBLISH
    assert held([hold], phase, piece) == (hold.sentence if stops else None)
    plan = plan_prepare(given(hold)) if piece is None else plan_publish(given(hold), piece)
    assets = PREPARE_ASSETS if piece is None else (UPLOADS[piece],)
    if stops:
        assert plan.refused == hold.sentence
        assert plan.left_out == dict.fromkeys(assets, hold.sentence)
        assert plan.selection == ()
    else:
        assert plan.refused is None
        assert set(plan.selection) == set(assets) - set(plan.left_out)
        assert plan.selection


def test_the_refusal_shows_reason_and_facts_of_every_hold() -> None:
    gate = Hold(HoldKind.QUALITY, "too little speech", facts={"share": 0.03, "at_least": 0.2})
    doubt = Hold(HoldKind.DOUBTFUL_UPLOAD, "look there first", V)
    assert plan_publish(given(gate, doubt), V).refused == (
        "it is held by a quality gate: too little speech (at_least 0.2, share 0.03); "
        "it is held as a doubtful upload: look there first"
    )
    assert plan_publish(given(gate, doubt), Y).refused == gate.sentence


def test_what_is_deleted_says_so_before_it_says_that_it_is_held() -> None:
    plan = plan_prepare(given(Hold(HoldKind.PAUSE, "wait"), deleted=True))
    assert plan.refused == "the recording is deleted; restore it first"
