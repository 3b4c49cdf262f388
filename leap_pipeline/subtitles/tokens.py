"""Words made ready for lines: no blanks inside, none wider than a line, times in milliseconds."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from leap_pipeline.speech.transcript import Transcript, Word
from leap_pipeline.subtitles.limits import LINE_CHARACTERS

# A word wider than a line (an address, a formula) is parted after one of these where it has one.
SEAMS = "/-_.,:;?&=#\u00ad"


@dataclass(frozen=True, slots=True)
class Token:
    """What no line break parts; `spaced` says whether a blank stands before it."""

    text: str
    start: int
    end: int
    spaced: bool


def tokens_of(transcript: Transcript) -> list[Token]:
    """Every printable character of every word, in order."""
    words = list(transcript.words())
    # Models mark the start of a word by a blank in front; without it "50" and "%" are one word.
    marked = any(word.word[:1].isspace() for word in words)
    first_ones = {id(segment.words[0]) for segment in transcript.segments}
    tokens: list[Token] = []
    for word in words:
        spaced = transcript.separator == " "
        if marked:
            spaced = word.word[:1].isspace() or (spaced and id(word) in first_ones)
        tokens.extend(_parts(word, spaced=spaced))
    return tokens


def _parts(word: Word, *, spaced: bool) -> Iterator[Token]:
    """The word's time goes to its parts by their characters."""
    pieces = [
        (piece, spaced if not at and not nth else not nth)
        for at, part in enumerate(_printable(word.word).split())
        for nth, piece in enumerate(_narrow(part))
    ]
    total = sum(len(piece) for piece, _ in pieces)
    start, length, done = word.start * 1000, (word.end - word.start) * 1000, 0
    for piece, blank in pieces:
        begin = round(start + length * done / total)
        done += len(piece)
        yield Token(piece, begin, round(start + length * done / total), blank)


def _printable(text: str) -> str:
    return "".join(
        character
        for character in text
        if character.isspace() or unicodedata.category(character) != "Cc"
    )


def _narrow(part: str) -> Iterator[str]:
    while len(part) > LINE_CHARACTERS:
        seam = max(part.rfind(character, 0, LINE_CHARACTERS) for character in SEAMS) + 1
        cut = seam if seam >= LINE_CHARACTERS // 2 else LINE_CHARACTERS
        yield part[:cut]
        part = part[cut:]
    yield part
