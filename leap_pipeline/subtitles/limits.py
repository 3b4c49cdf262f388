"""The numbers of the broadcast rules; times in milliseconds, which is what both formats hold."""

from __future__ import annotations

LINE_CHARACTERS = 42
LINES = 2
SHORTEST_MS = 1_000
LONGEST_MS = 7_000
CHARACTERS_PER_SECOND = 20
GAP_MS = 80
"""Least time between two cues: two frames at 25 fps, so that the eye sees the change."""
