"""Which words go into which cue: the cheapest way through all of them, by dynamic programming."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from leap_pipeline.subtitles.breaks import SENTENCE, quality
from leap_pipeline.subtitles.limits import (
    CHARACTERS_PER_SECOND,
    GAP_MS,
    LINE_CHARACTERS,
    LONGEST_MS,
    SHORTEST_MS,
)
from leap_pipeline.subtitles.tokens import Token

# Costs in the units of `breaks.quality`.
CUE = 1.2  # each cue: fewer are calmer
SENTENCE_INSIDE = 1.0  # a sentence that ends inside a cue
PAUSE_INSIDE = 1.5  # a second of silence inside a cue
SHORTAGE = 4.0  # a second that is missing to read it before the next one
TWO_LINES = 0.3
FREE_PAUSE_MS = 300


@dataclass(frozen=True)
class _Costs:
    """What does not depend on where cues begin: position p is between tokens p - 1 and p."""

    breaks: list[float]
    pauses: list[float]
    sentences: list[int]


def groups(parts: Sequence[Token]) -> list[tuple[int, int]]:
    """Ranges (first, after the last) of tokens, one a cue, that cost least together."""
    costs = _prepare(parts)
    best = [0.0] + [float("inf")] * len(parts)
    came = [0] * (len(parts) + 1)
    for first in range(len(parts)):
        base = best[first] + CUE
        for after, cost in _candidates(parts, first, costs):
            total = base + cost
            if total < best[after]:
                best[after], came[after] = total, first
    return _walk_back(came, len(parts))


def _prepare(parts: Sequence[Token]) -> _Costs:
    """Sums up to each position, so that a range costs one subtraction."""
    breaks, pauses, sentences = [0.0], [0.0], [0]
    for before, after in pairwise(parts):
        breaks.append(quality(before, after))
        silence = max(after.start - before.end - FREE_PAUSE_MS, 0) / 1000
        pauses.append(pauses[-1] + PAUSE_INSIDE * silence)
        sentences.append(sentences[-1] + (breaks[-1] == SENTENCE))
    return _Costs([*breaks, 0.0], pauses, sentences)


def _candidates(parts: Sequence[Token], first: int, costs: _Costs) -> Iterator[tuple[int, float]]:
    """Each range from `first` that may be a cue, by its end, with its cost."""
    begin = parts[first].start
    lines, width, characters = 1, 0, 0
    for last in range(first, len(parts)):
        token = parts[last]
        blank = 0 if token.glued or last == first else 1
        characters += blank + len(token.text)
        width += blank + len(token.text)
        if width > LINE_CHARACTERS:
            lines, width = lines + 1, len(token.text)
        if last > first and (lines > 2 or token.end - begin > LONGEST_MS):
            return
        after = last + 1
        cost = costs.breaks[after] + costs.pauses[last] - costs.pauses[first]
        cost += SENTENCE_INSIDE * (costs.sentences[last] - costs.sentences[first])
        cost += TWO_LINES * (lines - 1)
        if after < len(parts):
            needed = max(SHORTEST_MS, characters * 1000 // CHARACTERS_PER_SECOND) + GAP_MS
            cost += SHORTAGE * max(needed - (parts[after].start - begin), 0) / 1000
        yield after, cost


def _walk_back(came: Sequence[int], end: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while end > 0:
        found.append((came[end], end))
        end = came[end]
    return found[::-1]
