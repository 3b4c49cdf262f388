"""Prompt and vocabulary in the form and length that Whisper takes.

Whisper has 448 places for hints and answer together. A window of 30 s of fast speech needs about
200 of them: hints that take more make it leave words out, without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

MOST_TOKENS = 100
"""Of the prompt and of the vocabulary, each."""

CountTokens = Callable[[str], int]


def glossary(vocabulary: Sequence[str], count: CountTokens) -> str | None:
    """The first terms that fit, as a sentence: a bare word tempts small models to repeat it."""
    fitting: list[str] = []
    for term in (" ".join(each.split()) for each in vocabulary):
        if term and count(_sentence([*fitting, term])) <= MOST_TOKENS:
            fitting.append(term)
    return _sentence(fitting) if fitting else None


def _sentence(terms: Sequence[str]) -> str:
    return f"Glossary: {', '.join(terms)}."


def shortened(prompt: str | None, count: CountTokens) -> str | None:
    """The last words of the prompt that fit: the model minds what is nearest most."""
    words = (prompt or "").split()
    while words and count(" ".join(words)) > MOST_TOKENS:
        del words[: max(1, len(words) // 10)]
    return " ".join(words) or None
