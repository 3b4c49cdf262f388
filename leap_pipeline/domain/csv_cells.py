"""Texts of users in a CSV file, of which no spreadsheet makes a formula. Pure.

A cell that begins with one of a few characters is read as a formula, which can send the sheet
elsewhere or start a program: https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime

BYTE_ORDER_MARK = "\ufeff"
"""By it Excel knows that a file is UTF-8."""
_BEGINNINGS = tuple("=+-@\t\r\n＝＋－＠")

# In many countries Excel parts cells at semicolons, and a text with one stands in no quotes.
_INSIDE = re.compile(r"([;\t]\s*)(?=[=+\-@＝＋－＠])")

Cell = str | int | float | bool | datetime | None


def csv_lines(rows: Iterable[Iterable[Cell]]) -> str:
    """Lines of a CSV file (RFC 4180)."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows([map(_text, row) for row in rows])
    return written.getvalue()


def harmless(text: str) -> str:
    """The text, with an apostrophe wherever a formula could begin: in front, and behind what a
    spreadsheet may take for the end of a cell.
    """
    begins = text.startswith(_BEGINNINGS) or text.lstrip().startswith(_BEGINNINGS)
    return _INSIDE.sub(r"\1'", f"'{text}" if begins else text)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="seconds")
    return harmless(cell) if isinstance(cell, str) else str(cell)
