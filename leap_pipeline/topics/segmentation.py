"""Where one topic ends and the next begins.

Each topic is taken for a bag of words drawn from a distribution of its own (Eisenstein and
Barzilay, "Bayesian Unsupervised Topic Segmentation", EMNLP 2008): a stretch is likely where its
words repeat, and the Dirichlet compound multinomial measures how likely with the distribution
integrated out. Its prior is the whole lecture's, so words that are used everywhere bind nothing.
A term counts once a sentence, because speakers repeat themselves within one. Dynamic programming
finds the best division; how long topics are expected to be is the prior of their lengths,
log-normal, and a pause speaks for a boundary.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from leap_pipeline.topics.text import Sentence

Scores = NDArray[np.float64]

CONCENTRATION = 1200.0
"""Weight of the whole lecture's distribution in a topic's, in words."""
LENGTH_SPREAD = 0.25
"""Standard deviation of the logarithm of a topic's length. Narrow, because it stands against words
that are counted as independent draws and are none."""
LONGEST = 4.0
"""Expected lengths: no topic lasts longer, however alike its words are."""
PAUSE_BONUS = 1.5
"""Of a boundary, for each second of pause up to LONG_PAUSE, in nats."""
LONG_PAUSE = 3.0
FORBIDDEN = 1000.0
MOST_BLOCKS = 1500
"""Of sentences: longer lectures join neighbours, which bounds time and memory."""


@dataclass(frozen=True)
class Lengths:
    """Of topics, in seconds: `shortest` is kept wherever the stretch is that long."""

    expected: float
    shortest: float


def divide(sentences: Sequence[Sentence], lengths: Lengths) -> list[tuple[int, int]]:
    """Ranges (first, after the last) of sentences, one a topic, that explain the words best."""
    if not sentences:
        return []
    edges = _blocks(sentences)
    blocks = [sentences[first:after] for first, after in pairwise(edges)]
    starts = np.array([block[0].start for block in blocks])
    ends = np.array([block[-1].end for block in blocks])
    pauses = np.clip(starts[1:] - ends[:-1], 0.0, LONG_PAUSE)
    bonus = np.concatenate(([0.0], PAUSE_BONUS * pauses))
    likelihood = _Likelihood(blocks)
    best = np.zeros(len(blocks) + 1)
    came = np.zeros(len(blocks) + 1, dtype=np.int64)
    for after in range(1, len(blocks) + 1):
        scores = best[:after] + bonus[:after] + likelihood.extend(blocks[after - 1])
        scores += _length_prior(ends[after - 1] - starts[:after], lengths)
        came[after] = int(np.argmax(scores))
        best[after] = scores[came[after]]
    return [(edges[first], edges[after]) for first, after in _walk_back(came)]


def _blocks(sentences: Sequence[Sentence]) -> list[int]:
    """Where blocks begin, and the end: one a sentence as long as there are not too many."""
    size = sum(len(sentence.tokens) for sentence in sentences) / MOST_BLOCKS
    if len(sentences) <= MOST_BLOCKS:
        return list(range(len(sentences) + 1))
    edges, held = [0], 0
    for at, sentence in enumerate(sentences, start=1):
        held += len(sentence.tokens)
        if held >= size:
            edges.append(at)
            held = 0
    return edges if edges[-1] == len(sentences) else [*edges, len(sentences)]


def _length_prior(seconds: Scores, lengths: Lengths) -> Scores:
    """Log-normal; too short and too long are nearly ruled out, not wholly: something must be."""
    offset = np.log(np.maximum(seconds, 0.5) / lengths.expected) / LENGTH_SPREAD
    missing = np.maximum(lengths.shortest - seconds, 0.0) / lengths.shortest
    excess = np.maximum(seconds / (LONGEST * lengths.expected) - 1.0, 0.0)
    return np.asarray(-0.5 * np.square(offset) - FORBIDDEN * (missing + excess))


class _Likelihood:
    """Log probability of the words from each start up to the block that was read last."""

    def __init__(self, blocks: Sequence[Sequence[Sentence]]) -> None:
        totals = Counter(term for block in blocks for term in _terms(block))
        words = max(totals.total(), 1)
        self._prior = {term: CONCENTRATION * n / words for term, n in totals.items()}
        self._counts = {term: np.zeros(len(blocks), dtype=np.int32) for term in totals}
        self._sums = np.zeros(len(blocks))
        self._lengths = np.zeros(len(blocks), dtype=np.int64)
        self._norms = np.array(
            [math.lgamma(CONCENTRATION) - math.lgamma(CONCENTRATION + n) for n in range(words + 1)]
        )
        self._read = 0

    def extend(self, block: Sequence[Sentence]) -> Scores:
        """Read the next block; one value a start, the block's own included."""
        self._read += 1
        reach = slice(0, self._read)
        terms = _terms(block)
        for term in terms:
            counts = self._counts[term][reach]
            self._sums[reach] += np.log(self._prior[term] + counts)
            counts += 1
        self._lengths[reach] += len(terms)
        return np.asarray(self._sums[reach] + self._norms[self._lengths[reach]])


def _terms(block: Sequence[Sentence]) -> list[str]:
    return [term for sentence in block for term in dict.fromkeys(sentence.terms)]


def _walk_back(came: NDArray[np.int64]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    after = len(came) - 1
    while after > 0:
        found.append((int(came[after]), after))
        after = int(came[after])
    return found[::-1]
