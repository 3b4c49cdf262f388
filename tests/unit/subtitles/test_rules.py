"""Each rule is told when it is broken, and not when it is just kept."""

from __future__ import annotations

import pytest

from leap_pipeline.subtitles.cues import Cue
from leap_pipeline.subtitles.rules import check

GOOD = Cue(1.0, 3.0, ("Green plants use light.",))


def test_good_cues_break_nothing() -> None:
    assert check([], 0.0) == []
    assert check([GOOD], 3.0) == []


@pytest.mark.parametrize(
    ("cue", "fault"),
    [
        (Cue(1.0, 6.0, ("x" * 43,)), "43 characters in line 1"),
        (Cue(1.0, 6.0, ("one", "x" * 43)), "43 characters in line 2"),
        (Cue(1.0, 6.0, ("one", "two", "three")), "3 lines"),
        (Cue(1.0, 6.0, ()), "no text"),
        (Cue(1.0, 6.0, (" ",)), "nothing in line 1"),
        (Cue(1.0, 6.0, ("one\ntwo",)), "line break inside line 1"),
        (Cue(1.0, 1.999, ("one",)), "less than 1 s"),
        (Cue(1.0, 1.0, ("one",)), "less than 1 s"),
        (Cue(1.0, 8.001, ("one",)), "more than 7 s"),
        (Cue(1.0, 2.999, ("x" * 40,)), "20.0 characters a second"),
        (Cue(1.0, 3.999, ("x" * 30, "y" * 29)), "20.0 characters a second"),
        (Cue(-0.1, 2.0, ("one",)), "starts before the video"),
        (Cue(8.0, 10.001, ("one",)), "after the video at 10.000 s"),
    ],
)
def test_a_broken_rule_is_told_with_its_place(cue: Cue, fault: str) -> None:
    (sentence,) = check([cue], 10.0)
    assert fault in sentence
    assert sentence.startswith(f"Cue 1 at {cue.start:.3f} s ")


@pytest.mark.parametrize(
    "cue",
    [
        Cue(0.0, 1.0, ("one",)),
        Cue(0.0, 7.0, ("one",)),
        Cue(1.0, 3.0, ("x" * 40,)),
        Cue(1.0, 4.0, ("x" * 30, "y" * 29)),
        Cue(1.0, 6.0, ("x" * 42, "y" * 42)),
        Cue(9.0, 10.0, ("one",)),
    ],
)
def test_a_rule_that_is_just_kept_is_kept(cue: Cue) -> None:
    assert check([cue], 10.0) == []


@pytest.mark.parametrize(
    ("gap", "fault"),
    [(0.0, None), (0.08, None), (0.079, "leaves 79 ms"), (0.001, "leaves 1 ms"), (-0.5, "over")],
)
def test_cues_touch_or_are_two_frames_apart(gap: float, fault: str | None) -> None:
    broken = check([GOOD, Cue(3.0 + gap, 6.0, ("Then more.",))], 10.0)
    assert len(broken) == (fault is not None)
    assert fault is None or fault in broken[0]


def test_a_short_video_may_have_a_short_cue() -> None:
    assert check([Cue(0.0, 0.4, ("Hi.",))], 0.4) == []
