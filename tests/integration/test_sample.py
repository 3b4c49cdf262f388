"""The sample lecture through every stage, held against its ground truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jiwer
import pysubs2
import pytest

from leap_pipeline.media.audio import extract_audio
from leap_pipeline.media.cut import cut
from leap_pipeline.media.probe import probe
from leap_pipeline.media.silence import find_silence
from leap_pipeline.media.timeline import CutPlan, plan_cuts
from leap_pipeline.media.verify import sync_error
from leap_pipeline.settings import CHECKOUT, Settings
from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.speech.whisper import LocalWhisper
from leap_pipeline.subtitles.cues import build_cues
from leap_pipeline.subtitles.rules import check
from leap_pipeline.subtitles.write import write_srt, write_vtt
from leap_pipeline.topics.local import extract_topics

SAMPLE = CHECKOUT / "samples" / "lecture.mp4"
TRUTH = json.loads((CHECKOUT / "samples" / "lecture.truth.json").read_text())
PADDING = 0.5
MIN_SILENCE = 2.0
EDGE = 0.05
STEP = 0.04
TWO_MEGABYTES = 2_000_000

NORMAL = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.RemovePunctuation(),  # type: ignore[no-untyped-call]
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
        jiwer.ReduceToListOfListOfWords(),
    ]
)


@pytest.fixture(scope="module")
def plan() -> CutPlan:
    silences = find_silence(SAMPLE, min_duration=MIN_SILENCE)
    return plan_cuts(silences, probe(SAMPLE).duration, padding=PADDING)


@pytest.fixture(scope="module")
def trimmed(plan: CutPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sample") / "video.mp4"
    cut(SAMPLE, made, plan)
    return made


@pytest.fixture(scope="module")
def transcript(trimmed: Path, tmp_path_factory: pytest.TempPathFactory) -> Transcript:
    audio = trimmed.with_name("audio.mp3")
    extract_audio(trimmed, audio)
    return LocalWhisper(Settings(home=tmp_path_factory.mktemp("home"))).transcribe(audio)


def _expected_cuts() -> list[tuple[float, float]]:
    """The silences that are long enough, less the padding beside speech."""
    end = TRUTH["duration"]
    cuts = []
    for silence in TRUTH["silences"]:
        if silence["end"] - silence["start"] >= MIN_SILENCE:
            start = 0.0 if silence["start"] <= 0 else silence["start"] + PADDING
            stop = end if silence["end"] >= end else silence["end"] - PADDING
            cuts.append((start, stop))
    return cuts


def test_the_sample_is_small() -> None:
    assert SAMPLE.stat().st_size < TWO_MEGABYTES
    assert 60 <= probe(SAMPLE).duration <= 120


def test_every_cut_edge_is_where_the_truth_has_it(plan: CutPlan) -> None:
    found = [(part.start, part.end) for part in plan.removed]
    expected = _expected_cuts()
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected, strict=True):
        assert got == pytest.approx(wanted, abs=EDGE)


def test_sound_and_picture_stay_together(trimmed: Path, plan: CutPlan) -> None:
    assert sync_error(trimmed) <= STEP
    assert probe(trimmed).duration == pytest.approx(plan.duration_after, abs=EDGE)


def test_few_words_are_wrong(transcript: Transcript) -> None:
    said = " ".join(word.word.strip() for each in transcript.segments for word in each.words)
    rate = jiwer.wer(TRUTH["text"], said, reference_transform=NORMAL, hypothesis_transform=NORMAL)
    assert rate <= 0.05


def test_words_are_said_when_the_truth_says_so(transcript: Transcript, plan: CutPlan) -> None:
    """Each sentence of the truth begins near a word of the transcript, on the trimmed timeline."""
    starts = [word.start for each in transcript.segments for word in each.words]
    for sentence in TRUTH["sentences"]:
        at = plan.to_trimmed(sentence["start"])
        assert min(abs(start - at) for start in starts) < 0.5


def test_both_subjects_are_found(transcript: Transcript, plan: CutPlan) -> None:
    found = extract_topics(transcript)
    first, second = TRUTH["subjects"]
    assert len(found.topic_timestamps) == 2
    boundary = found.topic_timestamps[1].start
    assert plan.to_trimmed(first["end"]) - 1 <= boundary <= plan.to_trimmed(second["start"]) + 1
    for topic, subject in zip(found.topic_timestamps, TRUTH["subjects"], strict=True):
        said = {
            here["title"]: _stems(" ".join(_sentences(here["title"]))) for here in TRUTH["subjects"]
        }
        others = set().union(*(words for title, words in said.items() if title != subject["title"]))
        assert _stems(topic.topic) <= said[subject["title"]]
        assert not _stems(topic.topic) & others
    assert 2 <= len(found.main_topics[0].split()) <= 4


def test_subtitles_keep_every_rule(transcript: Transcript, tmp_path: Path) -> None:
    cues = build_cues(transcript)
    assert not check(cues, transcript.duration)
    srt, vtt = tmp_path / "subtitles.srt", tmp_path / "subtitles.vtt"
    write_srt(cues, srt)
    write_vtt(cues, vtt)
    for file in (srt, vtt):
        events = list(pysubs2.load(str(file)))
        assert [_words(event.plaintext) for event in events] == [
            _words(" ".join(cue.lines)) for cue in cues
        ]


def _words(text: str) -> list[str]:
    return text.split()


def _sentences(subject: str) -> list[str]:
    return [each["text"] for each in TRUTH["sentences"] if each["subject"] == subject]


def _stems(text: str) -> set[str]:
    """The first letters of each word that means something."""
    words = (word.strip(".,").lower() for word in text.split())
    return {word[:6] for word in words if len(word) > 3}


def test_the_truth_is_complete() -> None:
    keys: dict[str, Any] = TRUTH
    spoken = " ".join(sentence["text"] for sentence in keys["sentences"])
    assert spoken == keys["text"]
