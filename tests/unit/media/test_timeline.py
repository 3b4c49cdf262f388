import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.errors import DataError
from leap_pipeline.media.silence import Interval
from leap_pipeline.media.timeline import MIN_CUT, MIN_KEEP, CutPlan, Mode, plan_cuts

NEAR = 1e-6


@st.composite
def silences(draw: st.DrawFn) -> tuple[list[Interval], float]:
    """Any stretches, overlapping ones and ones outside included, and a duration."""
    duration = draw(st.floats(1.0, 20_000.0))
    times = st.floats(-5.0, duration + 5.0)
    pairs = draw(st.lists(st.tuples(times, times), max_size=30))
    return [Interval(min(a, b), max(a, b)) for a, b in pairs], duration


@st.composite
def plans(draw: st.DrawFn) -> CutPlan:
    found, duration = draw(silences())
    mode: Mode = draw(st.sampled_from(["all", "edges"]))
    return plan_cuts(found, duration, mode=mode, padding=draw(st.floats(0.0, 3.0)))


@given(plans())
def test_keep_is_sorted_disjoint_within_the_recording_and_worth_watching(plan: CutPlan) -> None:
    assert plan.keep
    edges = [t for part in plan.keep for t in (part.start, part.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0.0
    assert edges[-1] <= plan.duration
    assert all(p.length >= min(MIN_KEEP / 2, plan.duration) - NEAR for p in plan.keep)
    inner = zip(plan.keep, plan.keep[1:], strict=False)
    assert all(after.start - before.end >= MIN_CUT for before, after in inner)
    total = sum(part.length for part in (*plan.keep, *plan.removed))
    assert total == pytest.approx(plan.duration)
    assert plan.duration_after == pytest.approx(sum(part.length for part in plan.keep))


@given(plans(), st.lists(st.floats(-10.0, 20_010.0), min_size=2, max_size=20))
def test_both_maps_never_decrease(plan: CutPlan, times: list[float]) -> None:
    ordered = sorted(times)
    trimmed = [plan.to_trimmed(t) for t in ordered]
    source = [plan.to_source(t) for t in ordered]
    assert trimmed == sorted(trimmed)
    assert source == sorted(source)
    assert trimmed[0] >= 0.0
    assert trimmed[-1] <= plan.duration_after
    assert source[0] >= 0.0
    assert source[-1] <= plan.duration


@given(plans(), st.floats(0.0, 1.0))
def test_the_maps_are_inverse(plan: CutPlan, fraction: float) -> None:
    trimmed = fraction * plan.duration_after
    assert plan.to_trimmed(plan.to_source(trimmed)) == pytest.approx(trimmed, abs=NEAR)
    for part in plan.keep:
        inside = part.start + fraction * part.length * 0.999
        assert plan.to_source(plan.to_trimmed(inside)) == pytest.approx(inside, abs=NEAR)


@given(plans(), st.floats(0.0, 1.0))
def test_what_was_removed_falls_on_its_join(plan: CutPlan, fraction: float) -> None:
    for part in plan.removed:
        inside = part.start + fraction * part.length
        assert plan.to_trimmed(inside) == pytest.approx(plan.to_trimmed(part.start), abs=NEAR)


@given(plans())
def test_json_round_trip_is_exact(plan: CutPlan) -> None:
    assert CutPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_padding_stays_beside_speech_and_edges_are_cut_from_the_very_ends() -> None:
    found = [Interval(0.0, 3.0), Interval(10.0, 14.0), Interval(20.0, 25.0)]
    plan = plan_cuts(found, 25.0, padding=0.5)
    assert plan.removed == (Interval(0.0, 2.5), Interval(10.5, 13.5), Interval(20.5, 25.0))
    assert plan.duration_after == pytest.approx(15.0)
    assert not plan.no_speech


def test_edges_mode_keeps_the_silence_inside() -> None:
    found = [Interval(0.0, 3.0), Interval(10.0, 14.0), Interval(20.0, 25.0)]
    plan = plan_cuts(found, 25.0, mode="edges", padding=0.5)
    assert plan.keep == (Interval(2.5, 20.5),)


def test_a_recording_without_speech_is_kept_whole() -> None:
    plan = plan_cuts([Interval(0.0, 59.99)], 60.0)
    assert plan.keep == (Interval(0.0, 60.0),)
    assert plan.no_speech
    assert plan.removed == ()


def test_nothing_silent_keeps_all() -> None:
    plan = plan_cuts([], 60.0)
    assert plan.keep == (Interval(0.0, 60.0),)
    assert not plan.no_speech


def test_a_silence_shorter_than_its_paddings_is_not_cut() -> None:
    assert plan_cuts([Interval(10.0, 12.0)], 60.0, padding=1.0).removed == ()


def test_a_very_short_sound_is_widened() -> None:
    plan = plan_cuts([Interval(0.0, 10.0), Interval(10.05, 20.0)], 20.0, padding=0.0)
    assert len(plan.keep) == 1
    assert plan.keep[0].start == pytest.approx(9.9)
    assert plan.keep[0].end == pytest.approx(10.15)


def test_a_join_belongs_to_the_part_after_it() -> None:
    plan = CutPlan(30.0, (Interval(5.0, 10.0), Interval(20.0, 25.0)))
    assert plan.to_source(5.0) == 20.0
    assert plan.to_source(10.0) == 25.0
    assert plan.to_trimmed(15.0) == 5.0


@pytest.mark.parametrize(
    "keep",
    [
        (Interval(5.0, 4.0),),
        (Interval(5.0, 10.0), Interval(9.0, 12.0)),
        (Interval(-1.0, 4.0),),
        (Interval(5.0, 31.0),),
        (),
    ],
)
def test_an_impossible_plan_is_refused(keep: tuple[Interval, ...]) -> None:
    with pytest.raises(DataError):
        CutPlan(30.0, keep)


@pytest.mark.parametrize("document", [{}, {"duration": 3.0, "keep": [[1]]}, {"duration": "x"}])
def test_a_document_that_is_no_plan_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(DataError, match="not a cut plan"):
        CutPlan.from_json(document)
