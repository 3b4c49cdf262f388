"""Phrases that could name a topic, and how they are written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from leap_pipeline.topics.text import Sentence, Token

Phrase = tuple[str, ...]
"""Terms, and in lower case the small words between them, with LINK in front."""
LINK = " "
LONGEST_PHRASE = 5
MOST_TERMS = 4


def phrases(sentences: Iterable[Sentence], links: frozenset[str]) -> Iterator[Phrase]:
    """Every run of 1 to 5 words that begins and ends with a term, as often as it is said."""
    for _, key in placed_phrases(sentences, links):
        yield key


def placed_phrases(
    sentences: Iterable[Sentence], links: frozenset[str]
) -> Iterator[tuple[tuple[Token, ...], Phrase]]:
    """The same with the words as they are said; none goes over a comma or a full stop."""
    for sentence in sentences:
        tokens = sentence.tokens
        for first in range(len(tokens)):
            if tokens[first].term:
                yield from _from(tokens, first, links)


def _from(
    tokens: Sequence[Token], first: int, links: frozenset[str]
) -> Iterator[tuple[tuple[Token, ...], Phrase]]:
    key: list[str] = []
    for at in range(first, min(first + LONGEST_PHRASE, len(tokens))):
        token = tokens[at]
        if token.term:
            if token.term in key:
                return
            key.append(token.term)
            yield tuple(tokens[first : at + 1]), tuple(key)
        elif token.lower in links and tokens[at - 1].term:
            key.append(LINK + token.lower)
        else:
            return
        if token.ends_phrase:
            return


def terms_in(phrase: Phrase) -> list[str]:
    """Without its small words."""
    return [part for part in phrase if not part.startswith(LINK)]


class Spelling:
    """How phrases are written: the form that is said most, names with their capitals."""

    def __init__(
        self, sentences: Sequence[Sentence], links: frozenset[str], separator: str
    ) -> None:
        self._separator = separator
        self._forms = _cased_forms(sentences)
        said: defaultdict[Phrase, Counter[tuple[str, ...]]] = defaultdict(Counter)
        for tokens, key in placed_phrases(sentences, links):
            said[key][tuple(token.surface.lower() for token in tokens)] += 1
        # Of forms said equally often the one first in the alphabet: the same text, the same title.
        self._said = {
            key: min(counts.items(), key=lambda item: (-item[1], item[0]))[0]
            for key, counts in said.items()
        }

    def written(self, phrase: Phrase) -> str:
        """As inside a sentence."""
        return self._separator.join(self._forms.get(word, word) for word in self._said[phrase])


def _cased_forms(sentences: Sequence[Sentence]) -> dict[str, str]:
    """Lower-case words to how they are written where no sentence begins."""
    inside: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        for before, token in pairwise((None, *sentence.tokens)):
            begins = before is None or (before.ends_phrase and token is not None)
            if token is None or (begins and not _has_late_capital(token.surface)):
                continue
            inside[token.surface.lower()][token.surface] += 1
    return {
        lower: min(forms.items(), key=lambda item: (-item[1], item[0]))[0]
        for lower, forms in inside.items()
    }


def _has_late_capital(surface: str) -> bool:
    """DNA, iOS, McCabe: written so at a sentence's beginning as anywhere."""
    return any(character.isupper() for character in surface[1:])


def sentence_case(text: str) -> str:
    """The first letter large, unless the first word has its own way (iOS)."""
    first = text.split(" ", 1)[0]
    return text if _has_late_capital(first) else text[:1].upper() + text[1:]
