"""Callbacks of those who do not listen."""

from __future__ import annotations


def unheard() -> None:
    """Takes note of nothing."""
