"""The thumbnails that everybody has from the beginning, drawn here."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from functools import cache

from PIL import Image, ImageDraw

from leap_pipeline.media.thumbnails import HEIGHT, WIDTH

Draw = ImageDraw.ImageDraw
LINE = 10
"""Pixels."""


@cache
def default_thumbnails() -> Mapping[str, bytes]:
    """The pictures by their names: PNG of 1280×720, no words on them, some kilobytes each."""
    return {name: _drawn(ground, paint) for name, (ground, paint) in PICTURES.items()}


def _drawn(ground: str, paint: Callable[[Draw], None]) -> bytes:
    picture = Image.new("P", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, WIDTH, HEIGHT), fill=ground)
    paint(draw)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _lecture(draw: Draw) -> None:
    """A blackboard with axes and a curve that comes down in waves."""
    draw.rounded_rectangle((120, 90, 1160, 630), 24, fill="#163832", outline="#c9a26b", width=16)
    draw.line((220, 170, 220, 540, 1060, 540), fill="#e8efe9", width=LINE, joint="curve")
    draw.line((195, 205, 220, 165, 245, 205), fill="#e8efe9", width=LINE, joint="curve")
    draw.line((1025, 515, 1065, 540, 1025, 565), fill="#e8efe9", width=LINE, joint="curve")
    curve = [(x, 360 - 150 * math.exp(-(x - 220) / 320) * math.cos((x - 220) / 55))
             for x in range(222, 1000, 3)]  # fmt: skip
    draw.line(curve, fill="#ffd166", width=LINE, joint="curve")


def _seminar(draw: Draw) -> None:
    """Two who speak with each other."""
    draw.rounded_rectangle((150, 120, 780, 420), 60, fill="#f4f1ea")
    draw.polygon([(260, 400), (250, 510), (380, 400)], fill="#f4f1ea")
    draw.rounded_rectangle((520, 320, 1130, 580), 60, fill="#f2a65a")
    draw.polygon([(1010, 560), (1040, 660), (900, 560)], fill="#f2a65a")
    for row, length in enumerate((440, 500, 320)):
        y = 195 + row * 70
        draw.line((220, y, 220 + length * 3 // 5, y), fill="#33415c", width=LINE * 2)
    for x in (700, 825, 950):
        draw.ellipse((x - 28, 422, x + 28, 478), fill="#33415c")


def _workshop(draw: Draw) -> None:
    """A window with lines of a program between two brackets."""
    draw.rounded_rectangle((130, 90, 1150, 630), 28, fill="#1b1f2a")
    draw.rounded_rectangle((130, 90, 1150, 160), 28, fill="#3a4256")
    draw.rectangle((130, 130, 1150, 160), fill="#3a4256")
    for place, colour in enumerate(("#ef6461", "#e4b363", "#7bc47f")):
        draw.ellipse((165 + place * 50, 110, 195 + place * 50, 140), fill=colour)
    draw.line((330, 260, 210, 385, 330, 510), fill="#7bc47f", width=LINE * 2, joint="curve")
    draw.line((950, 260, 1070, 385, 950, 510), fill="#7bc47f", width=LINE * 2, joint="curve")
    for row, (indent, length) in enumerate(((0, 320), (60, 400), (60, 250), (0, 360))):
        y = 275 + row * 75
        draw.line((410 + indent, y, 410 + indent + length, y), fill="#8fa3c8", width=LINE * 2)


PICTURES: Mapping[str, tuple[str, Callable[[Draw], None]]] = {
    "lecture.png": ("#2f5d50", _lecture),
    "seminar.png": ("#33415c", _seminar),
    "workshop.png": ("#4a5a80", _workshop),
}
