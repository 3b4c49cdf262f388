"""A transcript as sentences of terms: what the statistics are made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from snowballstemmer import stemmer

from leap_pipeline.speech.transcript import CONTINUOUS_SCRIPTS, Transcript, Word
from leap_pipeline.topics.stopwords import stopwords

SENTENCE_END = re.compile(r"[.!?…。！？][\"'»”’)\]]*$")
PHRASE_END = re.compile(r"[.,;:!?…。、，；：！？—–()]+[\"'»”’)\]]*$")
TERM = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*[+#]*")
PAUSE_SECONDS = 1.5
LONGEST_SENTENCE = 40
"""Words, from which on the next end of a segment ends an unpunctuated sentence."""
SHORTEST_TERM = 3
EVERYWHERE = 0.2
"""Share of the sentences from which on a word of a language without a list is a stopword."""
ENOUGH_TO_TELL = 30
"""Sentences that such a judgement takes."""

SNOWBALL = {
    "en": "english", "ru": "russian", "de": "german", "fr": "french", "es": "spanish",
    "it": "italian", "pt": "portuguese", "nl": "dutch", "sv": "swedish", "no": "norwegian",
    "da": "danish", "fi": "finnish", "hu": "hungarian", "ro": "romanian", "tr": "turkish",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A word as said (`surface`, without its punctuation) and its `term`, empty for a stopword."""

    surface: str
    term: str
    ends_phrase: bool

    @property
    def lower(self) -> str:
        return _plain(self.surface)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Times in seconds, first to last word."""

    start: float
    end: float
    tokens: tuple[Token, ...]

    @property
    def terms(self) -> tuple[str, ...]:
        return tuple(token.term for token in self.tokens if token.term)


def base_language(transcript: Transcript) -> str:
    """`pt` for `pt-BR`."""
    return transcript.language.lower().replace("_", "-").partition("-")[0]


def sentences(transcript: Transcript) -> list[Sentence]:
    """In order of time; a sentence ends at its mark, at a pause, or where a segment does."""
    language = base_language(transcript)
    make = _Terms(language)
    found = [
        Sentence(
            words[0].start,
            words[-1].end,
            tuple(token for word in words for token in make.tokens(word)),
        )
        for words in _runs(transcript)
    ]
    return found if stopwords(language) else _without_common(found)


def _runs(transcript: Transcript) -> Iterator[list[Word]]:
    held: list[Word] = []
    for segment in transcript.segments:
        for word in segment.words:
            if held and word.start - held[-1].end >= PAUSE_SECONDS:
                yield held
                held = []
            held.append(word)
            if SENTENCE_END.search(word.word.rstrip()):
                yield held
                held = []
        if len(held) >= LONGEST_SENTENCE:
            yield held
            held = []
    if held:
        yield held


class _Terms:
    """Terms of one language; words of one stem are one term."""

    def __init__(self, language: str) -> None:
        self._stops = stopwords(language)
        self._shortest = 1 if language in CONTINUOUS_SCRIPTS else SHORTEST_TERM
        self._stem = _stemmer(language)

    def tokens(self, word: Word) -> Iterator[Token]:
        surfaces = TERM.findall(word.word)
        ends = bool(PHRASE_END.search(word.word.rstrip()))
        for place, surface in enumerate(surfaces, start=1):
            yield Token(surface, self._term(surface), ends and place == len(surfaces))

    def _term(self, surface: str) -> str:
        lower = _plain(surface)
        stem = lower.partition("'")[0]
        if not any(character.isalpha() for character in lower):
            return ""
        if lower in self._stops or stem in self._stops:
            return ""
        if len(stem) < self._shortest and not _is_name_like(surface):
            return ""
        return self._stem(stem)


def _plain(surface: str) -> str:
    return surface.lower().replace("’", "'").replace("ё", "е")


def _is_name_like(surface: str) -> bool:
    """Short, and yet a term: AI, C++, H2."""
    return len(surface) > 1 and surface == surface.upper()


def _stemmer(language: str) -> Callable[[str], str]:
    algorithm = SNOWBALL.get(language)
    if algorithm is None:
        return str
    # One a call: a stemmer of this library keeps the word that it works on.
    stem: Callable[[str], str] = stemmer(algorithm).stemWord
    return cache(stem)


def _without_common(found: Sequence[Sentence]) -> list[Sentence]:
    """Words of most sentences are taken for stopwords where no list tells them."""
    if len(found) < ENOUGH_TO_TELL:
        return list(found)
    spread = Counter(term for sentence in found for term in set(sentence.terms))
    common = {term for term, n in spread.items() if n > EVERYWHERE * len(found)}
    return [
        replace(
            sentence,
            tokens=tuple(
                replace(token, term="") if token.term in common else token
                for token in sentence.tokens
            ),
        )
        for sentence in found
    ]
