"""Which words share a cue and where its line breaks: the cheapest way over the whole lecture.

Dynamic programming over the words, as Knuth and Plass break paragraphs ("Breaking Paragraphs into
Lines", 1981): a cue's cost depends on its own words alone, so the best way to part the first i
words is the best over all last cues. Costs are computed for all cues of one length in words at
once. Time: words × the most words that fit a cue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from leap_pipeline.subtitles.breaks import Floats, break_costs, staying_costs
from leap_pipeline.subtitles.limits import (
    CHARACTERS_PER_SECOND,
    LINE_CHARACTERS,
    LONGEST,
    SHORTEST,
)
from leap_pipeline.subtitles.tokens import Token

Ints = NDArray[np.int64]

ANOTHER_CUE = 1.0
HURRY = 3.0
"""For each second that the words leave too little to read them."""
SPARSE = 0.6
"""For a cue with next to nothing in it; fades out at FEW characters."""
FEW = 20
LINE_BREAK = 0.5
"""How much a break between lines weighs against one between cues."""
UNBALANCED = 1.5
TOP_HEAVY = 0.1
HARD_PAUSE = 2000
"""Milliseconds: a cue never stays over a pause like that."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A cue without its final times: the words' own start and end in milliseconds."""

    start: int
    end: int
    lines: tuple[str, ...]


def place(tokens: Sequence[Token], duration: int) -> list[Placed]:
    """Part the words into cues of one or two lines; `duration` in milliseconds."""
    if not tokens:
        return []
    costs, splits = _Costs(tokens, duration).all()
    ends = _cheapest(costs)
    starts = [0, *ends[:-1]]
    return [
        _placed(tokens[start:end], int(splits[end, end - start - 1]))
        for start, end in zip(starts, ends, strict=True)
    ]


def _placed(tokens: Sequence[Token], split: int) -> Placed:
    lines = (tokens[:split], tokens[split:]) if split else (tokens,)
    return Placed(tokens[0].start, tokens[-1].end, tuple(_text(line) for line in lines))


def _text(tokens: Sequence[Token]) -> str:
    return tokens[0].text + "".join(
        f" {token.text}" if token.spaced else token.text for token in tokens[1:]
    )


def _cheapest(costs: Floats) -> list[int]:
    """The ends of the cues on the cheapest way; costs[i, n] is that of n + 1 words before i."""
    last = len(costs) - 1
    best = np.zeros(last + 1)
    words = np.zeros(last + 1, dtype=np.int64)
    for end in range(1, last + 1):
        widest = min(end, costs.shape[1])
        ways = costs[end, :widest] + best[end - widest : end][::-1]
        chosen = int(ways.argmin())
        best[end], words[end] = ways[chosen], chosen + 1
    ends = [last]
    while (before := ends[-1] - int(words[ends[-1]])) > 0:
        ends.append(before)
    return ends[::-1]


class _Costs:
    def __init__(self, tokens: Sequence[Token], duration: int) -> None:
        self.tokens = tokens
        self.count = len(tokens)
        widths = np.array([len(token.text) for token in tokens])
        self.blank = np.array([int(token.spaced) for token in tokens] + [0])
        self.reach = np.concatenate(([0], np.cumsum(widths + self.blank[:-1])))
        self.start = np.array([token.start for token in tokens])
        self.end = np.array([token.end for token in tokens])
        self.until = np.append(self.start[1:], max(duration, int(self.end[-1])))
        self.breaking = break_costs(tokens)

    @cached_property
    def staying(self) -> tuple[Floats, Ints]:
        """Sums up to each boundary: of the costs of staying, and of pauses too long for that."""
        each = staying_costs(self.tokens, HARD_PAUSE)
        hard = np.isinf(each)
        return np.cumsum(np.where(hard, 0.0, each)), np.cumsum(hard)

    def all(self) -> tuple[Floats, Ints]:
        """Costs and line breaks (0: one line) as [last word + 1, words - 1]."""
        costs, splits = [], []
        for words in range(1, self.count + 1):
            cost, split = self._of_length(words)
            if not np.isfinite(cost).any() and words > 1:
                # Longer cues hold these: if none of these fits, none of those does.
                break
            lead = np.full(words, np.inf)
            costs.append(np.concatenate((lead, cost)))
            splits.append(np.concatenate((np.zeros(words, dtype=np.int64), split)))
        return np.stack(costs, axis=1), np.stack(splits, axis=1)

    def _of_length(self, words: int) -> tuple[Floats, Ints]:
        first = np.arange(self.count - words + 1)
        beyond = first + words
        width = self.reach[beyond] - self.reach[first] - self.blank[first]
        layout, split = self._lines(first, beyond, width)
        stay, hard = self.staying
        inside = stay[beyond - 1] - stay[first]
        fits = hard[beyond - 1] == hard[first]
        if words > 1:
            fits &= self.end[beyond - 1] - self.start[first] <= LONGEST
        needed = np.maximum(SHORTEST, width * 1000 / CHARACTERS_PER_SECOND)
        hurry = np.maximum(0, needed - (self.until[beyond - 1] - self.start[first])) / 1000
        sparse = np.maximum(0, FEW - width) / FEW
        cost = ANOTHER_CUE + self.breaking[beyond] + layout + inside
        cost += HURRY * hurry + SPARSE * sparse
        return np.where(fits, cost, np.inf), split

    def _lines(self, first: Ints, beyond: Ints, width: Ints) -> tuple[Floats, Ints]:
        """The best line break of each; a text that fits one line stays on it."""
        best = np.where(width <= LINE_CHARACTERS, 0.0, np.inf)
        split = np.zeros(len(first), dtype=np.int64)
        wide = np.flatnonzero((width > LINE_CHARACTERS) & (width <= 2 * LINE_CHARACTERS + 1))
        for before in range(1, int(beyond[0] - first[0])) if wide.size else ():
            at = first[wide] + before
            top = self.reach[at] - self.reach[first[wide]] - self.blank[first[wide]]
            bottom = self.reach[beyond[wide]] - self.reach[at] - self.blank[at]
            fits = (top <= LINE_CHARACTERS) & (bottom <= LINE_CHARACTERS)
            if not fits.any():
                continue
            cost = LINE_BREAK * self.breaking[at] + TOP_HEAVY * (top > bottom)
            cost += UNBALANCED * ((top - bottom) / LINE_CHARACTERS) ** 2
            better = fits & (cost < best[wide])
            best[wide[better]] = cost[better]
            split[wide[better]] = before
        return best, split
