"""Hints leave the model room for its answer."""

from __future__ import annotations

from leap_pipeline.speech.hints import MOST_TOKENS, glossary, shortened


def count(text: str) -> int:
    """Four characters a token, about as in English."""
    return len(text) // 4 + 1


def test_nothing_is_no_hint() -> None:
    assert glossary((), count) is None
    assert glossary(["  "], count) is None
    assert shortened(None, count) is None
    assert shortened(" ", count) is None


def test_terms_become_a_sentence() -> None:
    assert (
        glossary(["Bayes", " hidden  Markov model"], count)
        == "Glossary: Bayes, hidden Markov model."
    )


def test_a_long_vocabulary_keeps_whole_terms_from_the_front() -> None:
    terms = [f"term{number:03}" for number in range(500)]
    found = glossary(terms, count)
    assert found is not None
    assert MOST_TOKENS - 4 <= count(found) <= MOST_TOKENS
    assert found.startswith("Glossary: term000, term001,")
    assert set(found.removeprefix("Glossary: ").removesuffix(".").split(", ")) <= set(terms)


def test_a_long_prompt_keeps_its_end() -> None:
    found = shortened(" ".join(f"word{number}" for number in range(500)), count)
    assert found is not None
    assert count(found) <= MOST_TOKENS
    assert found.endswith("word498 word499")
