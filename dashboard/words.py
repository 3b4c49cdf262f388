"""Texts of users on a page: shown as they are, never read as Markdown or HTML."""

from __future__ import annotations

import re
from html import escape

# All of ASCII's punctuation can be escaped (https://spec.commonmark.org/0.31.2/#backslash-escapes).
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# What Streamlit makes into a link or a picture after it has taken the escapes away: an address, an
# e-mail address, a name between colons. A word joiner inside is not seen, and ends such a word.
_MADE_ALIVE = re.compile(r"(://|www(?=\.)|@|:(?=[a-z]))", re.IGNORECASE)
_JOINER = "\N{WORD JOINER}"
_SPACES = re.compile(r"\s+")


def plain(text: str | None) -> str:
    """A text for a place where Streamlit reads Markdown: labels, messages, headings."""
    dead = _MADE_ALIVE.sub(rf"\1{_JOINER}", _SPACES.sub(" ", text or "").strip())
    return _PUNCTUATION.sub(r"\\\1", dead)


def html(text: str | None) -> str:
    """A text inside of HTML, in an attribute too."""
    return escape(text or "", quote=True)
