"""What subtitles are set from: pieces of text that stay on one line, with their times."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from leap_pipeline.speech.transcript import Transcript, Word
from leap_pipeline.subtitles.limits import LINE_CHARACTERS

UNPRINTABLE = frozenset({"Cc", "Cs"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or a piece of a word that is longer than a line; times in ms.

    `glued` says that no blank stands before it.
    """

    text: str
    start: int
    end: int
    glued: bool = False


def tokens(transcript: Transcript) -> list[Token]:
    """Every printable character of the transcript, in order; nothing is left out but blanks."""
    glued = not transcript.separator
    return [token for word in transcript.words() for token in _of_word(word, glued=glued)]


def _of_word(word: Word, *, glued: bool) -> Iterator[Token]:
    start, end = round(word.start * 1000), round(word.end * 1000)
    pieces = [
        (piece, glued if not column else True)
        for part in _printable(word.word).split()
        for column, piece in enumerate(_of_one_line(part))
    ]
    total = sum(len(piece) for piece, _ in pieces)
    passed = 0
    for piece, sticks in pieces:
        begin = start + (end - start) * passed // total
        passed += len(piece)
        yield Token(piece, begin, start + (end - start) * passed // total, sticks)


def _of_one_line(text: str) -> list[str]:
    """A word longer than a line, in pieces of nearly equal length that fit one."""
    count = -(-len(text) // LINE_CHARACTERS)
    edges = [len(text) * number // count for number in range(count + 1)]
    return [text[begin:end] for begin, end in pairwise(edges)]


def _printable(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    return "".join(
        character
        for character in normal
        if character.isspace() or unicodedata.category(character) not in UNPRINTABLE
    )


def joined(parts: list[Token]) -> str:
    """The text of tokens in a row."""
    return "".join(
        token.text if token.glued or not place else f" {token.text}"
        for place, token in enumerate(parts)
    )
