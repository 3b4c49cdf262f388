"""Small charts of plain boxes: no script draws them, and they follow the page's light and dark.

Streamlit lets HTML through and takes SVG out. Colours can be told apart by people who see few
(https://jfly.uni-koeln.de/color/), and each value can be read as a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.texts import number
from dashboard.words import html

GREEN, BLUE, GRAY, RED, ORANGE = "#009e73", "#0072b2", "#8c8c8c", "#d55e00", "#e69f00"
LABELS = 4
NEAR = 0.8
"""From this share of a limit on, a meter warns."""
_LEGEND = "display:flex;flex-wrap:wrap;gap:.25rem 1rem;font-size:.85rem"
_DOT = "display:inline-block;width:.7rem;height:.7rem;border-radius:2px;margin-right:.35rem"
_AXIS = "display:flex;justify-content:space-between;font-size:.75rem;opacity:.75"
_PLOT = (
    "display:flex;align-items:flex-end;gap:2px;height:10rem;"
    "border-bottom:1px solid rgba(128,128,128,.5)"
)
_COLUMN = "flex:1;height:100%;display:flex;flex-direction:column;justify-content:flex-end"
_TRACK = "background:rgba(128,128,128,.2);border-radius:4px;height:.6rem"


@dataclass(frozen=True)
class Series:
    """One colour of a chart: a value for each place on its axis; None: nothing is known there."""

    name: str
    color: str
    values: Sequence[float | None]


def columns(
    title: str, labels: Sequence[str], series: Sequence[Series], *, unit: str = "", digits: int = 0
) -> None:
    """Columns side by side in time, the series one on the other."""
    totals = [sum(each.values[at] or 0 for each in series) for at in range(len(labels))]
    most = max(totals, default=0) or 1
    bars = [_column(at, label, series, most, unit, digits) for at, label in enumerate(labels)]
    top = f'<div style="{_AXIS}">{html(_said(max(totals, default=0), unit, digits))}</div>'
    picture = f'<div role="img" aria-label="{html(title)}" style="{_PLOT}">{"".join(bars)}</div>'
    st.html(_legend(series) + top + picture + _axis(labels))


def rows(
    title: str,
    values: Sequence[tuple[str, float]],
    *,
    color: str = BLUE,
    unit: str = "",
    digits: int = 0,
) -> None:
    """Bars one under the other, each with its name and its value."""
    most = max((value for _, value in values), default=0) or 1
    lines = [
        f'<div style="margin:.35rem 0" role="listitem"><div style="display:flex;'
        f'justify-content:space-between;gap:1rem;font-size:.9rem">'
        f'<span style="overflow-wrap:anywhere">{html(name)}</span>'
        f'<span style="white-space:nowrap">{html(_said(value, unit, digits))}</span></div>'
        f'<div style="{_TRACK}"><div style="background:{color};border-radius:4px;height:.6rem;'
        f'width:{100 * value / most:.1f}%"></div></div></div>'
        for name, value in values
    ]
    st.html(f'<div role="list" aria-label="{html(title)}">{"".join(lines)}</div>')


def meter(name: str, used: float, limit: float | None, said: str) -> None:
    """How much of a limit is used; None: there is no limit."""
    share = used / limit if limit else float(limit is not None)
    color = RED if share >= 1 else ORANGE if share >= NEAR else GREEN
    bar = (
        ""
        if limit is None
        else (
            f'<div style="{_TRACK}" role="meter" aria-label="{html(name)}" aria-valuemin="0" '
            f'aria-valuemax="100" aria-valuenow="{min(100, round(100 * share))}">'
            f'<div style="background:{color};border-radius:4px;height:.6rem;'
            f'width:{min(100.0, 100 * share):.1f}%"></div></div>'
        )
    )
    st.html(
        f'<div style="margin:.2rem 0"><div style="display:flex;flex-wrap:wrap;'
        f'justify-content:space-between"><span>{html(name)}</span><span>{html(said)}</span></div>'
        f"{bar}</div>"
    )


def _column(
    at: int, label: str, series: Sequence[Series], most: float, unit: str, digits: int
) -> str:
    """The first series lies at the bottom."""
    boxes, said = [], []
    for each in series:
        value = each.values[at] or 0
        if value <= 0:
            continue
        said.append(f"{each.name}: {_said(value, unit, digits)}")
        tall = f"height:{100 * value / most:.2f}%;min-height:1px"
        boxes.append(f'<div style="{tall};background:{each.color}"></div>')
    told = html(f"{label} · {', '.join(said) or '0'}")
    return f'<div style="{_COLUMN}" title="{told}">{"".join(reversed(boxes))}</div>'


def _legend(series: Sequence[Series]) -> str:
    names = [
        f'<span><span style="{_DOT};background:{each.color}"></span>{html(each.name)}</span>'
        for each in series
    ]
    return f'<div style="{_LEGEND}">{"".join(names)}</div>'


def _axis(labels: Sequence[str]) -> str:
    """A few of the labels, the first and the last among them."""
    last = len(labels) - 1
    shown = sorted({round(last * part / (LABELS - 1)) for part in range(LABELS)}) if labels else []
    return (
        f'<div style="{_AXIS}">{"".join(f"<span>{html(labels[at])}</span>" for at in shown)}</div>'
    )


def _said(value: float, unit: str, digits: int) -> str:
    return f"{number(value, digits)} {unit}".strip()
