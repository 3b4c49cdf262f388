"""Whisper on this machine's processor, by faster-whisper: no key, no account, no network."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leap_pipeline.errors import InputError
from leap_pipeline.progress import ProgressCallback, ignore
from leap_pipeline.settings import Settings
from leap_pipeline.speech.background import Beating, beating
from leap_pipeline.speech.hints import glossary, shortened
from leap_pipeline.speech.models import LocalModel, resolve_model
from leap_pipeline.speech.sound import Block, Sound, blocks, open_sound
from leap_pipeline.speech.times import settle
from leap_pipeline.speech.transcript import Segment, Transcript, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

BLOCK_SECONDS = 600.0
"""What is held in memory at once: 40 MB of samples and 80 MB of features."""
LEAST_PROBABILITY = 0.25
"""Mean of a segment's words under which it is taken for noise that the model put words to."""
PADDING_SECONDS = 0.2

_loading = threading.Lock()


@dataclass(frozen=True)
class _Raw:
    """A segment as the model gave it, words as (start, end, text, probability)."""

    words: tuple[tuple[float, float, str, float], ...]

    @classmethod
    def of(cls, segment: Any, offset: float) -> _Raw:
        """From faster-whisper's segment, `offset` seconds later."""
        words = [(word, word.word.strip()) for word in segment.words or ()]
        return cls(
            tuple(
                (
                    offset + float(word.start),
                    offset + float(word.end),
                    text,
                    min(max(float(word.probability), 0.0), 1.0),
                )
                for word, text in words
                if text
            )
        )

    @property
    def probability(self) -> float:
        return sum(word[3] for word in self.words) / len(self.words)


class LocalWhisper:
    """A `Transcriber`. The model is loaded at the first use, once a process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def transcribe(
        self,
        audio: Path,
        *,
        language: str | None = None,
        prompt: str | None = None,
        vocabulary: Sequence[str] = (),
        progress: ProgressCallback = ignore,
    ) -> Transcript:
        """See `Transcriber.transcribe`. `progress` is called twice a second and may raise."""
        done = 0.0
        with open_sound(audio) as sound, beating(lambda: progress(done)) as background:
            local = background.run(lambda: resolve_model(self._settings, download=True))
            model = background.run(lambda: _load(local, self._threads()))
            code = _language(local, model.supported_languages, language)
            listener = _Listener(model, background, code, prompt, vocabulary)
            end = 0.0
            for block in _in_background(background, blocks(sound, seconds=BLOCK_SECONDS)):
                for position in listener.hear(block):
                    done = _fraction(position, sound)
                end = block.start + block.duration
            progress(1.0)
        return _transcript(
            listener.heard,
            _agreed(end, sound.duration),
            language=listener.language or model.supported_languages[0],
            model=local.name,
        )

    def _threads(self) -> int:
        return self._settings.whisper_threads or len(os.sched_getaffinity(0))


def _load(local: LocalModel, threads: int) -> WhisperModel:
    with _loading:
        return _loaded(local, threads)


@lru_cache(maxsize=1)
def _loaded(local: LocalModel, threads: int) -> WhisperModel:
    import ctranslate2  # type: ignore[import-untyped]
    from faster_whisper import WhisperModel

    # A window that is hard to understand is tried again with sampling: the same each time.
    ctranslate2.set_random_seed(0)
    try:
        return WhisperModel(
            str(local.folder),
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            local_files_only=True,
        )
    except (RuntimeError, ValueError, OSError) as error:
        msg = f"The speech model in {local.folder} cannot be loaded ({error}): get it again."
        raise InputError(msg) from error


def _language(local: LocalModel, supported: Sequence[str], wanted: str | None) -> str | None:
    """The model's code of the wanted language, None to let the model find out."""
    if wanted is None or not wanted.strip():
        return supported[0] if len(supported) == 1 else None
    code = wanted.strip().lower().replace("_", "-").partition("-")[0]
    if code not in supported:
        knows = supported[0] if len(supported) == 1 else f"{len(supported)} others"
        msg = (
            f"The speech model {local.name} does not know the language {wanted}, only {knows}: "
            "choose another language, or another model with LEAP_WHISPER_MODEL."
        )
        raise InputError(msg)
    return code


def _in_background(background: Beating, each: Iterator[Block]) -> Iterator[Block]:
    while (block := background.run(lambda: next(each, None))) is not None:
        yield block


class _Listener:
    """Hears block after block; the language found in the first speech holds for the rest."""

    def __init__(
        self,
        model: WhisperModel,
        background: Beating,
        language: str | None,
        prompt: str | None,
        vocabulary: Sequence[str],
    ) -> None:
        self._model = model
        self._background = background

        def count(text: str) -> int:
            return len(model.hf_tokenizer.encode(text, add_special_tokens=False).ids)

        self._hints = {
            "initial_prompt": shortened(prompt, count),
            "hotwords": glossary(vocabulary, count),
        }
        self.language = language
        self.heard: list[_Raw] = []

    def hear(self, block: Block) -> Iterator[float]:
        """Yields the position in seconds after each segment."""
        segments, info = self._background.run(
            lambda: self._model.transcribe(
                block.samples,
                language=self.language,
                word_timestamps=True,
                vad_filter=True,
                condition_on_previous_text=False,
                **self._hints,
            )
        )
        if info.duration_after_vad > 0:
            self.language = info.language
            while (segment := self._background.run(lambda: next(segments, None))) is not None:
                self._keep(_Raw.of(segment, block.start))
                yield block.start + float(segment.end)
        yield block.start + block.duration

    def _keep(self, raw: _Raw) -> None:
        if raw.words and raw.probability >= LEAST_PROBABILITY:
            self.heard.append(raw)


def _agreed(decoded: float, declared: float) -> float:
    """A codec pads its last frame; the container knows where the sound ends."""
    return declared if 0 < decoded - declared < PADDING_SECONDS else decoded


def _fraction(position: float, sound: Sound) -> float:
    return min(position / sound.duration, 1.0) if sound.duration else 0.0


def _transcript(heard: Sequence[_Raw], duration: float, *, language: str, model: str) -> Transcript:
    duration = round(duration, 3)
    times = iter(settle([word[:2] for raw in heard for word in raw.words], duration))
    segments: list[Segment] = []
    empty = Transcript(language=language, model=model, duration=duration)
    for raw in heard:
        words = []
        for _, _, text, probability in raw.words:
            start, end = next(times)
            words.append(Word(start=start, end=end, word=text, probability=round(probability, 4)))
        text = empty.separator.join(word.word for word in words)
        segments.append(
            Segment(start=words[0].start, end=words[-1].end, text=text, words=tuple(words))
        )
    return Transcript(language=language, model=model, duration=duration, segments=tuple(segments))
