"""What turns sound into a transcript. Remote services stand here beside the local model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from leap_pipeline.progress import ProgressCallback, ignore
from leap_pipeline.speech.transcript import Transcript


class Transcriber(Protocol):
    """One provider of transcripts."""

    def transcribe(
        self,
        audio: Path,
        *,
        language: str | None = None,
        prompt: str | None = None,
        vocabulary: Sequence[str] = (),
        progress: ProgressCallback = ignore,
    ) -> Transcript:
        """The transcript of an audio or video file.

        `language` is an ISO 639-1 code, None leaves it to the model; `prompt` is a sentence in the
        style of the lecture, `vocabulary` its names and terms. Speech that is not there gives an
        empty transcript. InputError where the file or the language cannot be had.
        """
        ...
