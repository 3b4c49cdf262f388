"""Texts of users on a page: shown as they are, never read as Markdown or HTML."""

from __future__ import annotations

import re
from html import escape

# All of ASCII's punctuation can be escaped (https://spec.commonmark.org/0.31.2/#backslash-escapes).
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_SPACES = re.compile(r"\s+")


def plain(text: str | None) -> str:
    """A text for a place where Streamlit reads Markdown: labels, messages, headings."""
    return _PUNCTUATION.sub(r"\\\1", _SPACES.sub(" ", text or "")).strip()


def html(text: str | None) -> str:
    """A text inside of HTML, in an attribute too."""
    return escape(text or "", quote=True)
