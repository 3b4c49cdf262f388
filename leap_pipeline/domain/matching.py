"""`recording_templates.matching_rules`: what may be saved.

A rule hits a recording's display name:

- `exact_matches`: a text equals the name, case and all.
- `keywords`: a text is part of it.
- `patterns`: a regular expression of RE2 is found in it.
- `exclude_keywords`, `exclude_patterns`: as before, and a hit keeps the recording out.

Keywords and patterns do not regard case, unless `case_sensitive`. Both sides are composed (NFC).
The name of a part of a meeting, “Algebra (part 2)”, is hit by what hits “Algebra” too.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from leap_pipeline.domain.names import whole_name
from leap_pipeline.domain.patterns import PROGRAM_LIMIT, compile_pattern
from leap_pipeline.domain.shapes.base import Shape

NAME_LIMIT = 500  # of `recordings.display_name`: a longer text is in none
RULE_LIMIT = 200  # of one kind
TEMPLATE_PROGRAM_LIMIT = 3 * PROGRAM_LIMIT


class Kind(StrEnum):
    """The lists of rules, in the order in which they are tried."""

    EXACT_MATCHES = "exact_matches"
    KEYWORDS = "keywords"
    PATTERNS = "patterns"
    EXCLUDE_KEYWORDS = "exclude_keywords"
    EXCLUDE_PATTERNS = "exclude_patterns"


TAKING = (Kind.EXACT_MATCHES, Kind.KEYWORDS, Kind.PATTERNS)
EXCLUDING = (Kind.EXCLUDE_KEYWORDS, Kind.EXCLUDE_PATTERNS)


def composed(text: str) -> str:
    """A text as it is compared: й is one character, however it was typed."""
    return unicodedata.normalize("NFC", text)


def compared(display_name: str) -> tuple[str, ...]:
    """The names that rules are tried on: a part of a meeting is taken as its meeting would be."""
    name = composed(display_name)
    whole = whole_name(name)
    return (name,) if whole is None else (name, whole)


def _text(text: str) -> str:
    if not text.strip():
        msg = "is blank; write a text or remove it"
        raise ValueError(msg)
    return composed(text)


def _pattern(text: str) -> str:
    compile_pattern(_text(text))
    return composed(text)


Text = Annotated[str, StringConstraints(max_length=NAME_LIMIT), AfterValidator(_text)]
PatternText = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_pattern)]
Texts = Annotated[tuple[Text, ...], Field(max_length=RULE_LIMIT)]
PatternTexts = Annotated[tuple[PatternText, ...], Field(max_length=RULE_LIMIT)]
SourceId = Annotated[int, Field(gt=0, lt=2**31)]


class MatchingRules(Shape):
    """Rules of a template; `shapes.base.parse` makes them of a document, or tells what is wrong."""

    exact_matches: Texts = ()
    keywords: Texts = ()
    patterns: PatternTexts = ()
    exclude_keywords: Texts = ()
    exclude_patterns: PatternTexts = ()
    source_ids: Annotated[tuple[SourceId, ...], Field(max_length=1000)] = ()
    match_mode: Literal["any", "all"] = "any"
    case_sensitive: bool = False

    @model_validator(mode="after")
    def _bounded(self) -> MatchingRules:
        patterns = (*self.patterns, *self.exclude_patterns)
        if sum(compile_pattern(each).size for each in patterns) > TEMPLATE_PROGRAM_LIMIT:
            msg = "has patterns that are too large together; use fewer, or repeat less in them"
            raise ValueError(msg)
        return self
