"""How well a text parts between two words: the end of a sentence best, after an article worst."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leap_pipeline.subtitles.tokens import Token

Floats = NDArray[np.float64]

SENTENCE_ENDS = ".?!…。！？؟।"
CLAUSE_ENDS = ",;:—–،、，；："
CLOSERS = "\"'”’»)]}›」』"
OPENERS = "\"'“‘«([{‹—–-¿¡「『"

# What is at home with the word after it: a line that ends in one of these reads badly.
_LEANING = """
a an the my your his her its our their this that these those some any no every each
of in on at to for from with by as into onto over under between about through than
and or but nor so if because when while where which who whose that is are was were be been
am has have had do does did will would can could may might must shall should not very
i you he she it we they
в во на с со к ко по о об от до из за у для при под над без между через про
и или но а да что чтобы как если когда где который которая которое которые то не ни
это этот эта эти тот та те мы вы он она они я ты его её их наш ваш мой очень
"""
# What begins a new thought: a break in front of one of these reads well.
_OPENING = """
and or but nor so because although though if when while where which who whose that then
with without for into from until unless since
и или но а что чтобы если когда где который которая которое которые потому поэтому хотя пока
для через без
"""
LEANING = frozenset(_LEANING.split())
OPENING = frozenset(_OPENING.split())

SENTENCE, CLAUSE, PLAIN = 0.0, 0.5, 1.6
AFTER_LEANING = 1.5
BEFORE_OPENING = -0.5
GLUED = 6.0
"""Inside a word that had to be parted, in a writing that has blanks."""
LONG_PAUSE = 800
"""Milliseconds after which a pause is as good as a clause's end."""


def break_costs(tokens: Sequence[Token]) -> Floats:
    """What a break before each token costs, and at [-1] one after the last (nothing)."""
    costs = np.zeros(len(tokens) + 1)
    blanks = any(token.spaced for token in tokens[1:])
    for at in range(1, len(tokens)):
        costs[at] = _break_cost(tokens[at - 1], tokens[at], blanks=blanks)
    return costs


def staying_costs(tokens: Sequence[Token], hard_pause: int) -> Floats:
    """What it costs not to break before each token: a sentence ends there, or there is a pause."""
    costs = np.zeros(len(tokens) + 1)
    for at in range(1, len(tokens)):
        before, after = tokens[at - 1], tokens[at]
        pause = after.start - before.end
        if pause >= hard_pause:
            costs[at] = np.inf
            continue
        costs[at] = max(0, pause - 400) / 400
        if ends_sentence(before.text, after.text):
            costs[at] += 0.7
    return costs


def ends_sentence(text: str, following: str) -> bool:
    """Whether a sentence ends with `text`; the point of "e.g." before a small letter is none."""
    bare = text.rstrip(CLOSERS)
    if not bare or bare[-1] not in SENTENCE_ENDS:
        return False
    return bare[-1] != "." or not following.lstrip(OPENERS)[:1].islower()


def _break_cost(before: Token, after: Token, *, blanks: bool) -> float:
    if blanks and not after.spaced:
        return GLUED
    if ends_sentence(before.text, after.text):
        return SENTENCE
    if before.text.rstrip(CLOSERS)[-1:] in CLAUSE_ENDS + SENTENCE_ENDS:
        cost = CLAUSE
    else:
        cost = PLAIN
        if _bare(before.text) in LEANING:
            cost += AFTER_LEANING
        elif _bare(after.text) in OPENING:
            cost += BEFORE_OPENING
    pause = min(1.0, max(0, after.start - before.end) / LONG_PAUSE)
    return cost * (1 - 0.7 * pause)


def _bare(text: str) -> str:
    return text.strip(CLOSERS + OPENERS + CLAUSE_ENDS + SENTENCE_ENDS).lower()
