"""What topics are called: the phrases that set each apart from the rest of the lecture.

How much a phrase belongs to a topic is its weighted log-odds ratio with an informative Dirichlet
prior, divided by its standard deviation (Monroe, Colaresi and Quinn, "Fightin' Words", Political
Analysis 2008). The lecture's main topic is the phrase that most of its topics share.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from leap_pipeline.topics.phrases import (
    MOST_TERMS,
    Phrase,
    Spelling,
    phrases,
    sentence_case,
    terms_in,
)
from leap_pipeline.topics.stopwords import AND, links
from leap_pipeline.topics.text import Sentence

Range = tuple[int, int]

PRIOR_STRENGTH = 0.2
"""Share of the whole lecture's counts that stands as the prior of each side."""
TERM_SHARE = 0.5
"""Weight of a phrase's single terms beside the phrase itself."""
TWO_WORDS, MORE_WORDS, ONE_WORD = 1.0, 0.7, -1.0
LINKED = 0.7
"""Weight of a main topic with a small word inside: "block of code"."""
SAID_ONCE = -1.5
INTRODUCED, OPENING_SENTENCES = 0.7, 2
"""For what a topic's first sentences name: there a speaker says what comes."""
OPENING_WORDS = 5
MAIN_WORDS = range(2, 5)


class Titles:
    """Titles for the ranges of sentences that one lecture is divided into."""

    def __init__(
        self, sentences: Sequence[Sentence], ranges: Sequence[Range], language: str, separator: str
    ) -> None:
        self._sentences = sentences
        self._ranges = ranges
        self._links = links(language)
        self._and = f" {AND[language]} " if language in AND else ", "
        self._separator = separator
        self._language = language
        self._spelling = Spelling(sentences, self._links, separator)
        self._counts = [
            Counter(phrases(sentences[first:after], self._links)) for first, after in ranges
        ]
        self._total: Counter[Phrase] = Counter()
        for counts in self._counts:
            self._total.update(counts)

    def of_topics(self) -> list[str]:
        """One for each range, no two alike where the words allow it."""
        used: set[str] = set()
        found: list[str] = []
        for number in range(len(self._ranges)):
            title = self._of_topic(number, used)
            used.add(title.lower())
            found.append(title)
        return found

    def main_topic(self) -> str | None:
        """2 to 4 words that name the whole lecture; None where no two of its words go together."""
        spread = {
            phrase: self._spread(phrase)
            for phrase, count in self._total.items()
            if len(phrase) in MAIN_WORDS and count > 1
        }
        best = _best(spread)
        if best is not None:
            return sentence_case(self._spelling.written(best))
        return self._pair({phrase: float(count) for phrase, count in self._total.items()}, set())

    def _spread(self, phrase: Phrase) -> float:
        """High for what many topics speak of, each for itself counted less and less."""
        linked = len(terms_in(phrase)) < len(phrase)
        shared = sum(math.log1p(counts[phrase]) for counts in self._counts)
        return shared * (LINKED if linked else 1.0)

    def _of_topic(self, number: int, used: set[str]) -> str:
        scores = self._scores(number)
        counts = self._counts[number]
        ranked = sorted(counts, key=lambda phrase: (-scores[phrase], phrase))
        for phrase in ranked:
            title = sentence_case(self._spelling.written(phrase))
            terms = len(terms_in(phrase))
            if 1 < terms <= MOST_TERMS and counts[phrase] > 1 and title.lower() not in used:
                return title
        return self._pair(scores, used) or self._single(scores) or self._opening(number)

    def _pair(self, scores: dict[Phrase, float], used: set[str]) -> str | None:
        """The best single words, for want of a phrase that is said more than once."""
        single = sorted((p for p in scores if len(p) == 1), key=lambda p: (-scores[p], p))
        for first, second in pairwise(single):
            words = self._spelling.written(first), self._spelling.written(second)
            title = sentence_case(self._and.join(words))
            if title.lower() not in used:
                return title
        return None

    def _single(self, scores: dict[Phrase, float]) -> str | None:
        best = _best(scores)
        return None if best is None else sentence_case(self._spelling.written(best))

    def _opening(self, number: int) -> str:
        """A stretch of nothing but stopwords is called by its first words."""
        first, after = self._ranges[number]
        tokens = [token for each in self._sentences[first:after] for token in each.tokens]
        words = [token.surface for token in tokens[:OPENING_WORDS]]
        return sentence_case(self._separator.join(words)) or "…"

    def _scores(self, number: int) -> dict[Phrase, float]:
        """Of each phrase of a topic: the higher, the more it sets the topic apart."""
        counts, (first, after) = self._counts[number], self._ranges[number]
        opening = self._sentences[first : min(after, first + OPENING_SENTENCES)]
        introduced = set(phrases(opening, self._links))
        inside, whole = max(1, counts.total()), max(1, self._total.total())
        odds = {
            phrase: _log_odds(count, self._total[phrase], inside, whole)
            for phrase, count in counts.items()
        }
        scores: dict[Phrase, float] = {}
        for phrase, count in counts.items():
            terms = terms_in(phrase)
            share = sum(odds[(term,)] for term in terms) / len(terms)
            scores[phrase] = odds[phrase] + TERM_SHARE * share
            scores[phrase] += {1: ONE_WORD, 2: TWO_WORDS}.get(len(terms), MORE_WORDS)
            scores[phrase] += SAID_ONCE if count == 1 else INTRODUCED * (phrase in introduced)
        return scores


def _log_odds(count: int, total: int, inside: int, whole: int) -> float:
    """z of a phrase said `count` times among `inside` and `total` times among `whole`."""
    prior, weight = PRIOR_STRENGTH * total, PRIOR_STRENGTH * whole
    here, rest = count + prior, total - count + prior
    size, others = inside + weight, whole - inside + weight
    difference = math.log(here / (size - here + 1)) - math.log(rest / (others - rest + 1))
    return difference / math.sqrt(1 / here + 1 / rest) + math.log(count)


def _best(scores: dict[Phrase, float]) -> Phrase | None:
    """The highest; of equals the one first in the alphabet."""
    return min(scores, key=lambda phrase: (-scores[phrase], phrase), default=None)
