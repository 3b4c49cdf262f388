"""`master.json`: what was said, with the time of every word in seconds from the start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from leap_pipeline.errors import InputError
from leap_pipeline.speech.files import read_json, write_whole

TIME_TOLERANCE = 0.001
"""Times are written with three decimals, so two that touch may differ by one of the last place."""

# Written without blanks between words.
CONTINUOUS_SCRIPTS = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Word(_Shape):
    """One word as spoken, with its punctuation; times in seconds, probability 0 to 1."""

    start: float = Field(ge=0)
    end: float = Field(ge=0)
    word: str = Field(min_length=1)
    probability: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.end < self.start:
            msg = f"the word ends at {self.end} s, before it starts at {self.start} s"
            raise ValueError(msg)
        return self


class Segment(_Shape):
    """Some words in a row as the model gave them out; they lie within `start` and `end`."""

    start: float = Field(ge=0)
    end: float = Field(ge=0)
    text: str
    words: tuple[Word, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _holds_its_words(self) -> Self:
        first, last = self.words[0], self.words[-1]
        if self.start > first.start + TIME_TOLERANCE or self.end < last.end - TIME_TOLERANCE:
            msg = (
                f"the segment lasts from {self.start} to {self.end} s, "
                f"its words from {first.start} to {last.end} s"
            )
            raise ValueError(msg)
        return self


class Transcript(_Shape):
    """All segments in order of time. Words never overlap and lie inside the sound's `duration`."""

    language: str = Field(min_length=2)
    model: str = "unknown"
    duration: float = Field(ge=0)
    segments: tuple[Segment, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _duration_of_others(cls, value: Any) -> Any:
        """Files of other programs may lack the duration: then it is the end of the last segment."""
        if not isinstance(value, dict) or "duration" in value:
            return value
        segments = value.get("segments")
        last = segments[-1] if isinstance(segments, list) and segments else {}
        end = last.get("end") if isinstance(last, dict) else None
        return {**value, "duration": end if isinstance(end, int | float) else 0.0}

    @model_validator(mode="after")
    def _times_rise(self) -> Self:
        placed = [
            (f"segments.{row}.words.{column}", word)
            for row, segment in enumerate(self.segments)
            for column, word in enumerate(segment.words)
        ]
        for (_, before), (place, word) in pairwise(placed):
            if word.start < before.end - TIME_TOLERANCE:
                msg = (
                    f"{place} starts at {word.start} s, before the word in front of it "
                    f"ends at {before.end} s"
                )
                raise ValueError(msg)
        if placed and placed[-1][1].end > self.duration + TIME_TOLERANCE:
            place, word = placed[-1]
            msg = f"{place} ends at {word.end} s, after the sound does at {self.duration} s"
            raise ValueError(msg)
        return self

    def words(self) -> Iterator[Word]:
        """Every word in order of time."""
        for segment in self.segments:
            yield from segment.words

    @property
    def separator(self) -> str:
        """What stands between two words of this language in writing."""
        return "" if self.language.lower() in CONTINUOUS_SCRIPTS else " "


def read_transcript(path: Path) -> Transcript:
    """Read `master.json`; InputError names the file, the place in it and what is wrong there."""
    try:
        return Transcript.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top level"
        why = first["msg"].removeprefix("Value error, ")
        msg = f"{path} is not a transcript, see {place}: {why}."
        raise InputError(msg) from error


def write_transcript(transcript: Transcript, path: Path) -> None:
    """Write `master.json` beside its place and rename it."""
    document = transcript.model_dump(mode="json")
    write_whole(path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
