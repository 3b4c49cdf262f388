"""The table of Zoom's rate limits."""

from __future__ import annotations

import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.sources.zoom.limits import Category, rate_per_second


@pytest.mark.parametrize(
    ("plan", "rates"),
    [("free", (4, 2, 1)), ("pro", (30, 20, 10)), ("business", (80, 60, 40))],
)
def test_rates_by_plan(plan: str, rates: tuple[int, int, int]) -> None:
    categories: tuple[Category, ...] = ("light", "medium", "heavy")
    assert tuple(rate_per_second(plan, each) for each in categories) == rates


def test_an_unknown_plan_is_refused() -> None:
    with pytest.raises(InputError, match="no Zoom plan “gold”: use one of free, pro, business"):
        rate_per_second("gold", "light")
