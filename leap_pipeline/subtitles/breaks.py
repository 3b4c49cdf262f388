"""How good a place between two words is to end a line or a cue: 0 is best."""

from __future__ import annotations

from leap_pipeline.subtitles.tokens import Token

SENTENCE, CLAUSE, BEFORE_JOINER, PLAIN, AFTER_WEAK = 0.0, 0.4, 0.9, 1.6, 3.0
PAUSE_MS = 400
LONG_PAUSE_MS = 1_000

SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
CLAUSE_ENDS = (",", ";", ":", "—", "–", "、", "，", "；", "：")
CLOSERS = "\"'»”’)]}"

# A line is better broken before these: a clause or a phrase begins.
_JOINERS = """
and but or nor so because although though while when where which who that if unless until than then
since before after with without into from about between through during as for of in on at by to
и а но или что чтобы который которая которое которые если когда где потому поэтому как так хотя
пока после перед для из от с со в во на по к ко о об при через между без
"""
# A line is worse broken after these: they belong to the next word.
_LEANING = """
a an the this these those my your his her its our their very is are was were be been am will would
can could should must may might do does did has have had not no i we you he she it they
не ни это этот эта эти мой твой наш ваш его её их очень я мы ты вы он она оно они бы же
"""
JOINERS = frozenset(_JOINERS.split())
WEAK = JOINERS | frozenset(_LEANING.split())


def quality(before: Token, after: Token) -> float:
    """Between two tokens that follow each other."""
    if after.glued:
        return AFTER_WEAK
    pause = after.start - before.end
    mark = before.text.rstrip(CLOSERS)
    if mark.endswith(SENTENCE_ENDS) or pause >= LONG_PAUSE_MS:
        return SENTENCE
    if mark.endswith(CLAUSE_ENDS) or pause >= PAUSE_MS:
        return CLAUSE
    if before.text.lower() in WEAK:
        return AFTER_WEAK
    return BEFORE_JOINER if after.text.lower() in JOINERS else PLAIN
