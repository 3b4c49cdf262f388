"""A cue's text in one line or two, broken where it reads best."""

from __future__ import annotations

from collections.abc import Sequence

from leap_pipeline.subtitles.breaks import quality
from leap_pipeline.subtitles.limits import LINE_CHARACTERS
from leap_pipeline.subtitles.tokens import Token, joined

BALANCE_WEIGHT = 0.12
"""Cost of each character by which two lines differ, in the units of `breaks.quality`."""
TOP_HEAVY = 0.2
"""Cost of an upper line that is longer: a lower one hides less of the picture."""


def split(parts: Sequence[Token]) -> tuple[str, ...]:
    """The lines of tokens that fit into two."""
    whole = joined(list(parts))
    if len(whole) <= LINE_CHARACTERS:
        return (whole,)
    _, place = min(
        (cost, place) for place in range(1, len(parts)) if (cost := _cost(parts, place)) is not None
    )
    return joined(list(parts[:place])), joined(list(parts[place:]))


def _cost(parts: Sequence[Token], place: int) -> float | None:
    """Of a break before `parts[place]`; None where a line gets too long."""
    upper, lower = len(joined(list(parts[:place]))), len(joined(list(parts[place:])))
    if max(upper, lower) > LINE_CHARACTERS:
        return None
    shape = BALANCE_WEIGHT * abs(upper - lower) + (TOP_HEAVY if upper > lower else 0.0)
    return quality(parts[place - 1], parts[place]) + shape
