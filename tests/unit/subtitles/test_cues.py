"""Cues from words: the rules over any stream of words, and what they look like on good ones."""

from __future__ import annotations

import random
import time
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.subtitles.cues import Cue, build_cues
from leap_pipeline.subtitles.rules import check
from leap_pipeline.subtitles.timing import EARLIEST, LATEST
from tests.support.talks import Spoken, sample_lecture, talk

NEAR = 0.0015
LANGUAGES = st.sampled_from(["en", "ru", "ja"])
TEXTS = st.one_of(
    st.sampled_from(
        ["a", "the", "и", "search.", "list,", "well-known", "Really?", "<b>", "-->", "&"]
    ),
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=90
    ),
)


@st.composite
def any_talk(draw: st.DrawFn) -> Transcript:
    spoken = st.tuples(TEXTS, st.floats(0.01, 9.0), st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.2, 4.0]))
    return talk(
        draw(st.lists(spoken, min_size=1, max_size=60)),
        language=draw(LANGUAGES),
        tail=draw(st.sampled_from([0.0, 0.5, 10.0])),
        start=draw(st.sampled_from([0.0, 3.0])),
    )


@st.composite
def calm_talk(draw: st.DrawFn) -> Transcript:
    """At most 18 characters a second, blanks included."""
    texts = draw(st.lists(TEXTS, min_size=1, max_size=60))
    slower = draw(st.floats(1.0, 3.0))
    pauses = st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.2, 4.0])
    return talk(
        [(text, (len(text) + 1) / 18 * slower, draw(pauses)) for text in texts],
        language=draw(LANGUAGES),
        tail=draw(st.sampled_from([0.0, 0.5, 10.0])),
    )


def letters(texts: Sequence[str]) -> str:
    return "".join("".join(texts).split())


def kept(transcript: Transcript, cues: Sequence[Cue]) -> bool:
    said = letters([word.word for word in transcript.words()])
    return said == letters([line for cue in cues for line in cue.lines])


@given(any_talk())
def test_no_word_is_lost_and_only_the_speed_may_give_way(transcript: Transcript) -> None:
    cues = build_cues(transcript)
    assert kept(transcript, cues)
    broken = check(cues, transcript.duration)
    assert [each for each in broken if "a second" not in each and "less than" not in each] == []


@given(calm_talk())
def test_calm_speech_keeps_every_rule(transcript: Transcript) -> None:
    assert check(build_cues(transcript), transcript.duration) == []


@given(any_talk())
def test_a_cue_stays_near_its_words(transcript: Transcript) -> None:
    firsts: list[float] = []
    for word in transcript.words():
        size = len(letters([word.word]))
        step = (word.end - word.start) / size
        firsts += [word.start + step * at for at in range(size)]
    said = 0
    for cue in build_cues(transcript):
        assert firsts[said] - EARLIEST / 1000 - NEAR <= cue.start
        assert cue.start <= firsts[said] + LATEST / 1000 + NEAR
        said += len(letters(cue.lines))


@given(any_talk())
def test_the_same_words_give_the_same_cues(transcript: Transcript) -> None:
    assert build_cues(transcript) == build_cues(transcript)


def test_the_sample_keeps_every_rule_and_ends_cues_where_sentences_end() -> None:
    for trimmed in (True, False):
        transcript = sample_lecture(trimmed=trimmed)
        cues = build_cues(transcript)
        assert kept(transcript, cues)
        assert check(cues, transcript.duration) == []
        assert all(cue.lines[-1][-1] in ".," for cue in cues)
        inside = [line for cue in cues for line in cue.lines if ". " in line]
        assert inside == []


def test_two_lines_are_balanced_and_part_before_a_clause() -> None:
    text = "Our list is sorted already because we built it from numbers in order."
    (cue,) = build_cues(talk([(word, 0.35, 0.0) for word in text.split()], tail=1.0))
    assert cue.lines == ("Our list is sorted already", "because we built it from numbers in order.")


def test_a_fast_burst_takes_the_time_of_the_silence_after_it() -> None:
    burst: list[Spoken] = [(f"word{n:03d}", 0.22, 0.0) for n in range(20)]  # 36 characters a second
    transcript = talk([*burst[:-1], ("last.", 0.2, 6.0), ("Then", 0.5, 0.0), ("calm.", 0.5, 0.0)])
    cues = build_cues(transcript)
    assert check(cues, transcript.duration) == []
    assert kept(transcript, cues)
    assert cues[-1].start == pytest.approx(transcript.segments[0].words[-2].start)


def test_a_fast_burst_borrows_from_the_cues_around_it() -> None:
    calm: list[Spoken] = [("plainly", 0.8, 0.0)] * 30  # 10 characters a second
    burst: list[Spoken] = [("hurried", 0.26, 0.0)] * 20  # 31 characters a second
    transcript = talk([*calm, *burst, *calm])
    assert check(build_cues(transcript), transcript.duration) == []


def test_speech_that_nobody_could_read_is_spread_evenly_and_kept_whole() -> None:
    transcript = talk([("quickly", 0.2, 0.0)] * 3000)  # 40 characters a second for ten minutes
    cues = build_cues(transcript)
    assert kept(transcript, cues)
    broken = check(cues, transcript.duration)
    assert broken
    assert all("characters a second" in each for each in broken)
    speeds = sorted(len(" ".join(cue.lines)) / (cue.end - cue.start) for cue in cues[5:-5])
    assert speeds[-1] < 1.1 * 40


def test_many_cues_in_too_short_a_video_stay_apart_and_inside() -> None:
    transcript = talk([("unbelievably", 0.005, 0.0)] * 400)
    cues = build_cues(transcript)
    assert kept(transcript, cues)
    assert all(cue.start < cue.end for cue in cues)
    assert all(before.end <= after.start for before, after in pairwise(cues))
    assert cues[-1].end <= transcript.duration


def test_the_last_words_at_the_very_end_come_early_enough_to_be_read() -> None:
    transcript = talk(
        [("Well", 0.4, 3.0), ("thank", 0.1, 0.0), ("you", 0.1, 0.0), ("all.", 0.1, 0.0)]
    )
    first, last = build_cues(transcript)
    assert last.end == transcript.duration
    assert last.end - last.start == pytest.approx(1.0)
    assert first.end <= last.start


def test_a_video_shorter_than_a_cue() -> None:
    transcript = talk([("Hello.", 0.4, 0.0)])
    (cue,) = build_cues(transcript)
    assert (cue.start, cue.end) == (0.0, 0.4)


def test_a_word_wider_than_a_line_is_parted_at_its_seams() -> None:
    address = (
        "https://example.org/lectures/mathematics/analysis/chapter-4/theorem-of-heine-and-borel"
    )
    transcript = talk([("See", 0.4, 0.0), (address, 6.0, 0.0), ("there.", 0.4, 0.0)])
    cues = build_cues(transcript)
    assert kept(transcript, cues)
    assert check(cues, transcript.duration) == []
    parted = [line for cue in cues for line in cue.lines if line.startswith(("https", "See https"))]
    assert parted[0].endswith(("/", "-"))


def test_a_word_held_for_a_minute_is_shown_for_seven_seconds() -> None:
    transcript = talk([("Aaah", 60.0, 0.0)])
    (cue,) = build_cues(transcript)
    assert cue.end - cue.start == pytest.approx(7.0)


def test_blanks_of_models_mark_where_words_begin() -> None:
    transcript = talk(
        [(" About", 0.4, 0.0), (" 50", 0.4, 0.0), ("%", 0.3, 0.0), (" more", 0.4, 0.0)]
    )
    assert build_cues(transcript)[0].lines == ("About 50% more",)


def test_writings_without_blanks_get_none() -> None:
    transcript = talk([(each, 0.3, 0.0) for each in "今日は光合成を学びます。"], language="ja")
    assert build_cues(transcript)[0].lines == ("今日は光合成を学びます。",)


def test_control_characters_and_line_breaks_never_reach_a_line() -> None:
    transcript = talk([("one\ntwo", 0.8, 0.0), ("thr\x00ee", 0.8, 0.0), ("\x07", 0.2, 0.0)])
    lines = [line for cue in build_cues(transcript) for line in cue.lines]
    assert lines == ["one two three"]
    assert not any(unicodedata.category(each) == "Cc" for line in lines for each in line)


def test_an_empty_transcript_has_no_cues() -> None:
    assert build_cues(Transcript(language="en", duration=30.0)) == []


@pytest.mark.parametrize("pace", [0.07, 0.03])
def test_four_hours_take_a_few_seconds(pace: float) -> None:
    chance = random.Random(4)
    texts = " ".join(segment.text for segment in sample_lecture(trimmed=True).segments).split()
    spoken: list[Spoken] = [
        (texts[at % len(texts)], max(0.05, len(texts[at % len(texts)]) * pace), pause)
        for at in range(40_000)
        for pause in [chance.choice([0.0, 0.0, 0.0, 0.2])]
    ]
    transcript = talk(spoken)
    begun = time.monotonic()
    cues = build_cues(transcript)
    assert time.monotonic() - begun < 10
    assert kept(transcript, cues)
