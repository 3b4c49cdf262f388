"""Transcripts to try things on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from leap_pipeline.speech.transcript import Segment, Transcript, Word

TRUTH = Path(__file__).resolve().parents[2] / "samples" / "lecture.truth.json"

Spoken = tuple[str, float, float]
"""A word, how long it takes and how long the silence after it is, in seconds."""


def words_of(spoken: Iterable[Spoken], start: float = 0.0) -> list[Word]:
    """Words one after the other, in whole milliseconds."""
    words: list[Word] = []
    clock = start
    for text, length, pause in spoken:
        end = round(clock + length, 3)
        words.append(Word(start=clock, end=end, word=text))
        clock = round(end + pause, 3)
    return words


def segment(words: Sequence[Word]) -> Segment:
    text = " ".join(word.word for word in words)
    return Segment(start=words[0].start, end=words[-1].end, text=text, words=tuple(words))


def talk(
    spoken: Iterable[Spoken], *, language: str = "en", tail: float = 0.0, start: float = 0.0
) -> Transcript:
    """One segment of words and `tail` seconds of silence after them."""
    words = words_of(spoken, start)
    end = words[-1].end if words else start
    return Transcript(
        language=language,
        model="test",
        duration=round(end + tail, 3),
        segments=(segment(words),) if words else (),
    )


def spaced_evenly(text: str, start: float, end: float) -> Segment:
    """A sentence whose words take the same time each."""
    texts = text.split()
    edges = [round(start + (end - start) * at / len(texts), 3) for at in range(len(texts) + 1)]
    return segment(
        [Word(start=edges[at], end=edges[at + 1], word=each) for at, each in enumerate(texts)]
    )


def lecture(
    sentences: Iterable[str],
    *,
    language: str = "en",
    speed: float = 2.5,
    pauses: dict[int, float] | None = None,
) -> Transcript:
    """Sentences at `speed` words a second, 0.4 s apart; `pauses` are others before sentence n."""
    segments: list[Segment] = []
    clock = 0.0
    for at, sentence in enumerate(sentences):
        clock += (pauses or {}).get(at, 0.4 if at else 0.0)
        end = clock + len(sentence.split()) / speed
        segments.append(spaced_evenly(sentence, round(clock, 3), round(end, 3)))
        clock = end
    return Transcript(
        language=language, model="test", duration=round(clock + 0.5, 3), segments=tuple(segments)
    )


def sample_lecture(*, trimmed: bool) -> Transcript:
    """The ground truth of samples/lecture.mp4; trimmed with half a second beside the speech."""
    truth = json.loads(TRUTH.read_text())
    cuts = [
        (
            silence["start"] + (0.5 if silence["start"] else 0.0),
            silence["end"] - (0.5 if silence["end"] < truth["duration"] else 0.0),
        )
        for silence in truth["silences"]
        if trimmed and silence["end"] - silence["start"] >= 2.0
    ]

    def moved(time: float) -> float:
        gone: float = sum(max(0.0, min(time, end) - begin) for begin, end in cuts)
        return round(time - gone, 3)

    return Transcript(
        language=truth["language"],
        model="truth",
        duration=moved(truth["duration"]),
        segments=tuple(
            spaced_evenly(each["text"], moved(each["start"]), moved(each["end"]))
            for each in truth["sentences"]
        ),
    )
