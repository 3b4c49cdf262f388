"""The shipped model on the sample lecture, on silence and noise, and when it is stopped."""

from __future__ import annotations

import json
import time
import wave
from itertools import pairwise
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from numpy.typing import NDArray

from leap_pipeline.errors import InputError
from leap_pipeline.settings import CHECKOUT, Settings
from leap_pipeline.speech import whisper
from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.speech.whisper import LocalWhisper

SAMPLE = CHECKOUT / "samples" / "lecture.mp4"
RATE = 16_000
WORD_ERRORS = 0.05
EDGE_SECONDS = 0.7
"""How far a sentence's first and last word may lie from its edges: tiny.en aligns to 20 ms frames,
but gives the pauses beside a word to the word."""


class Stop(Exception):
    """What a stopped step raises."""


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SAMPLE.with_name("lecture.truth.json").read_text())
    return document


@pytest.fixture(scope="module")
def beats() -> list[tuple[float, float]]:
    return []


@pytest.fixture(scope="module")
def spoken(beats: list[tuple[float, float]]) -> Transcript:
    def note(fraction: float) -> None:
        beats.append((time.monotonic(), fraction))

    return LocalWhisper(Settings()).transcribe(SAMPLE, progress=note)


def said(transcript: Transcript) -> str:
    return " ".join(word.word for word in transcript.words())


def word_errors(reference: str, hypothesis: str) -> float:
    plain = jiwer.Compose(
        [
            jiwer.ToLowerCase(),
            jiwer.RemovePunctuation(),  # type: ignore[no-untyped-call]
            jiwer.RemoveMultipleSpaces(),
            jiwer.Strip(),
            jiwer.ReduceToListOfListOfWords(),
        ]
    )
    return jiwer.wer(reference, hypothesis, plain, plain)


def test_the_sample_is_understood(spoken: Transcript, truth: dict[str, Any]) -> None:
    assert word_errors(truth["text"], said(spoken)) <= WORD_ERRORS
    assert (spoken.language, spoken.model) == ("en", "tiny.en")
    assert spoken.duration == pytest.approx(truth["duration"], abs=0.05)


def test_times_are_sorted_inside_and_where_the_sentences_are(
    spoken: Transcript, truth: dict[str, Any]
) -> None:
    words = list(spoken.words())
    assert all(0 <= word.start < word.end <= spoken.duration for word in words)
    assert all(before.end <= after.start for before, after in pairwise(words))
    position = 0
    for sentence in truth["sentences"]:
        count = len(sentence["text"].split())
        first, last = words[position], words[position + count - 1]
        position += count
        assert first.start == pytest.approx(sentence["start"], abs=EDGE_SECONDS)
        assert last.end == pytest.approx(sentence["end"], abs=EDGE_SECONDS)


def test_progress_is_heard_every_second_and_never_falls(
    spoken: Transcript, beats: list[tuple[float, float]]
) -> None:
    assert spoken.segments
    assert max(after[0] - before[0] for before, after in pairwise(beats)) < 1.0
    assert all(before[1] <= after[1] for before, after in pairwise(beats))
    assert beats[-1][1] == 1.0


def test_short_blocks_understand_the_same(
    monkeypatch: pytest.MonkeyPatch, truth: dict[str, Any]
) -> None:
    monkeypatch.setattr(whisper, "BLOCK_SECONDS", 30.0)
    found = LocalWhisper(Settings()).transcribe(SAMPLE, language="EN-us")
    assert word_errors(truth["text"], said(found)) <= WORD_ERRORS
    words = list(found.words())
    assert words[-1].end == pytest.approx(truth["sentences"][-1]["end"], abs=EDGE_SECONDS)


def test_long_hints_leave_room_for_the_answer(truth: dict[str, Any]) -> None:
    found = LocalWhisper(Settings()).transcribe(
        SAMPLE,
        prompt="A lecture on plants and on lists. " * 60,
        vocabulary=["photosynthesis", "binary search"] * 60,
    )
    assert word_errors(truth["text"], said(found)) <= WORD_ERRORS


def noises() -> dict[str, NDArray[np.floating]]:
    random = np.random.default_rng(11)
    count = 20 * RATE
    time_ = np.arange(count) / RATE
    return {
        "digital silence": np.zeros(count),
        "a quiet room": random.normal(0, 10 ** (-62 / 20), count),
        "hiss": random.normal(0, 0.1, count),
        "mains hum": 0.1 * np.sin(2 * np.pi * 50 * time_) + 0.03 * np.sin(2 * np.pi * 150 * time_),
        "clicks": (random.random(count) < 3 / RATE) * 0.8,
        "an instant": np.zeros(100),
    }


@pytest.mark.parametrize("name", noises())
def test_no_words_are_put_to_silence_and_noise(tmp_path: Path, name: str) -> None:
    path = tmp_path / "noise.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(noises()[name], -1, 1) * 32767).astype("<i2").tobytes())
    found = LocalWhisper(Settings()).transcribe(path, prompt="A lecture about machine learning.")
    assert found.segments == ()
    assert found.language == "en"
    assert found.duration == pytest.approx(len(noises()[name]) / RATE, abs=0.001)


@pytest.mark.parametrize("language", ["ru", "ru-RU", "klingon"])
def test_a_language_that_the_model_does_not_know_is_refused(language: str) -> None:
    with pytest.raises(InputError) as caught:
        LocalWhisper(Settings()).transcribe(SAMPLE, language=language)
    assert "tiny.en" in str(caught.value)
    assert language in str(caught.value)


def test_it_can_be_stopped() -> None:
    started = time.monotonic()

    def stop(fraction: float) -> None:
        if time.monotonic() - started > 1.0:
            raise Stop

    with pytest.raises(Stop):
        LocalWhisper(Settings()).transcribe(SAMPLE, progress=stop)
