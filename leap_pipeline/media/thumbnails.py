"""Pictures from outside, made into thumbnails: read with suspicion, drawn anew.

Of what was handed in only the pixels stay: no EXIF with a place in it, no script behind the end,
no colour profile. Platforms: https://developers.google.com/youtube/v3/docs/thumbnails/set (JPEG or
PNG, at most 2 MB, 1280×720).
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import PurePosixPath

from PIL import Image, ImageOps

from leap_pipeline.errors import InputError

WIDTH, HEIGHT = 1280, 720
LARGEST = 2_000_000
"""Bytes of a thumbnail."""
LARGEST_GIVEN = 20 * 2**20
"""Bytes of a picture that is handed in."""
MOST_PIXELS = 40_000_000
MOST_GROWTH = 2
"""How many times a small picture is enlarged; beyond that nothing of it can be recognized."""
READ = ("JPEG", "PNG", "WEBP")
QUALITIES = (90, 80, 65, 50)
COLOURS = 256
# What Pillow raises on files that are broken, or made to break it.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def thumbnail(content: bytes, name: str) -> bytes:
    """The picture as a thumbnail of 1280×720, at most 2 MB; the ending of `name` says of what kind.

    What has another shape stands between black bars. Raises `InputError` for what is no JPEG, PNG
    or WebP, is broken, too large or too small.
    """
    if len(content) > LARGEST_GIVEN:
        msg = f"{name} has {_mib(len(content))} MiB: {_mib(LARGEST_GIVEN)} are taken, shrink it."
        raise InputError(msg)
    picture = _fitted(_decoded(content, name))
    is_png = PurePosixPath(name).suffix.lower() == ".png"
    return _png(picture) if is_png else _jpeg(picture)


def small_jpeg(content: bytes, name: str, width: int = 480) -> bytes:
    """The picture as a JPEG at most `width` pixels wide, to be shown beside other things.

    Raises `InputError` as `thumbnail` does.
    """
    picture = _decoded(content, name)
    picture.thumbnail((width, width), Image.Resampling.LANCZOS)
    return _encoded(picture, "JPEG", quality=80, optimize=True)


def _decoded(content: bytes, name: str) -> Image.Image:
    """Upright, without transparency, in RGB."""
    try:
        with Image.open(io.BytesIO(content), formats=READ) as found:
            _check_size(found.size, name)
            found.load()
            return _opaque(ImageOps.exif_transpose(found))
    except BOMBS as error:
        msg = f"{name} is larger than {MOST_PIXELS:,} pixels: shrink it to {WIDTH}×{HEIGHT}."
        raise InputError(msg) from error
    except BROKEN as error:
        msg = f"{name} cannot be read as a picture: give a whole PNG, JPEG or WebP."
        raise InputError(msg) from error


def _check_size(size: tuple[int, int], name: str) -> None:
    """By what the file's head says, before any pixel is unpacked."""
    width, height = size
    if width * height > MOST_PIXELS:
        msg = f"{name} has {width}×{height} pixels: shrink it to {WIDTH}×{HEIGHT}."
        raise InputError(msg)
    if min(WIDTH / width, HEIGHT / height) > MOST_GROWTH:
        least = f"{WIDTH // MOST_GROWTH}×{HEIGHT // MOST_GROWTH}"
        msg = f"{name} has only {width}×{height} pixels: give {least} or more."
        raise InputError(msg)


def _opaque(picture: Image.Image) -> Image.Image:
    """In RGB; what shines through is white."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    paper = Image.new("RGB", layered.size, "white")
    paper.paste(layered, mask=layered.getchannel("A"))
    return paper


def _fitted(picture: Image.Image) -> Image.Image:
    """On a new canvas, to which nothing but pixels comes along."""
    scale = min(WIDTH / picture.width, HEIGHT / picture.height)
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    canvas = Image.new("RGB", (WIDTH, HEIGHT), "black")
    shrunk = picture.resize(size, Image.Resampling.LANCZOS)
    canvas.paste(shrunk, ((WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2))
    return canvas


def _png(picture: Image.Image) -> bytes:
    """In all its colours, or in 256 where that is too large: a byte a pixel always fits."""
    whole = _encoded(picture, "PNG")
    return whole if len(whole) <= LARGEST else _encoded(picture.quantize(COLOURS), "PNG")


def _jpeg(picture: Image.Image) -> bytes:
    for quality in QUALITIES:
        found = _encoded(picture, "JPEG", quality=quality, optimize=True, progressive=True)
        if len(found) <= LARGEST:
            break
    return found


def _encoded(picture: Image.Image, form: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **how)
    return buffer.getvalue()


def _mib(size: int) -> int:
    return -(-size // 2**20)
