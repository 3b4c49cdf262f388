"""Rules for a template that is made after one recording.

suggested_rules("2026-11-19 ML, лекция 7")  # {"keywords": ["ML, лекция"]}
"""

from __future__ import annotations

import re
from typing import Any

from leap_pipeline.domain.matching import composed
from leap_pipeline.domain.names import whole_name

# What changes from lecture to lecture: numbers, and dates and times made of them.
_VARYING = re.compile(r"\W*\d[\d.:/_-]*\W*")
LEAST = 3
"""Letters without which a keyword would be found in too many names."""


def suggested_rules(display_name: str) -> dict[str, Any]:
    """Rules that take the recording and its like: by what its name has beside numbers and dates."""
    name = composed(display_name)
    name = whole_name(name) or name
    pieces = (piece.strip(" \t-–—_,.;:|/#№(") for piece in _VARYING.split(name))
    longest = max(pieces, key=len, default="")
    if sum(each.isalpha() for each in longest) < LEAST:
        return {"exact_matches": [name]}
    return {"keywords": [longest]}
