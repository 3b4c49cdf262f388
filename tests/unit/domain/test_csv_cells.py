"""Cells of which no spreadsheet makes a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from leap_pipeline.domain.csv_cells import Cell, csv_lines, harmless


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t1", "\r=1", "\n=1", "  =1", "＝1", "＋1", "－1", "＠x"],
)
def test_a_formula_is_no_formula_any_more(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("x;=1", "x;'=1"),
        ("\t=1", "'\t'=1"),
        ("a; =1;b;@c", "a; '=1;b;'@c"),
        ("x\t+1", "x\t'+1"),
        ("=1;=2", "'=1;'=2"),
        ("a; b", "a; b"),
    ],
)
def test_where_semicolons_part_cells_none_begins_a_formula(text: str, written: str) -> None:
    assert harmless(text) == written


@pytest.mark.parametrize("text", ["", "Algebra = love", "a@b.c", "'quoted", "10 - 3"])
def test_other_texts_stay(text: str) -> None:
    assert harmless(text) == text


def test_cells_come_back_as_they_were() -> None:
    row: list[Cell] = ['say "hi", then\ngo', "=cmd|' /C calc'!A0", 7, -2.5, True, None]
    written = csv_lines([row, [datetime(2026, 11, 23, 9, 30, tzinfo=UTC)]])
    assert list(csv.reader(io.StringIO(written, newline=""))) == [
        ['say "hi", then\ngo', "'=cmd|' /C calc'!A0", "7", "-2.5", "yes", ""],
        ["2026-11-23T09:30:00+00:00"],
    ]
    assert written.endswith("\r\n")
