"""The numbers that a cue keeps to.

42 characters, two lines, 7 s and the gap of two frames are those of Netflix's Timed Text Style
Guide ("General Requirements"); 1 s and 20 characters a second are this product's own.
"""

from __future__ import annotations

LINE_CHARACTERS = 42
LINES = 2
SHORTEST = 1000
"""Milliseconds."""
LONGEST = 7000
"""Milliseconds."""
CHARACTERS_PER_SECOND = 20
"""A line break counts as one character, the blank that it stands for."""
SMALLEST_GAP = 80
"""Milliseconds: two frames at 25 a second. Cues either touch or are this far apart."""


def reading_time(characters: int) -> int:
    """The milliseconds that a cue of so many characters must stay."""
    return max(SHORTEST, -(-characters * 1000 // CHARACTERS_PER_SECOND))
