"""Thumbnails: whatever is handed in, what comes out is a small, clean picture, or a sentence."""

from __future__ import annotations

import io
import random
import zlib

import numpy as np
import pytest
from PIL import Image

from leap_pipeline.errors import InputError
from leap_pipeline.media.default_thumbnails import default_thumbnails
from leap_pipeline.media.thumbnails import HEIGHT, LARGEST, LARGEST_GIVEN, WIDTH, thumbnail

SCRIPT = b"<script>alert(1)</script>"


def encoded(picture: Image.Image, form: str = "PNG", **how: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **how)
    return buffer.getvalue()


def flat(width: int, height: int, colour: object = "red", mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (width, height), colour)  # type: ignore[arg-type]


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )


def opened(content: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(content))
    found.load()
    return found


def near(colour: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(a - b) < 12 for a, b in zip(colour, wanted, strict=True))


@pytest.mark.parametrize(
    ("given", "name", "form"),
    [
        ("PNG", "a.png", "PNG"),
        ("JPEG", "a.png", "PNG"),
        ("WEBP", "a.JPG", "JPEG"),
        ("PNG", "a.jpeg", "JPEG"),
    ],
)
def test_the_ending_of_the_name_says_of_what_kind(given: str, name: str, form: str) -> None:
    found = opened(thumbnail(encoded(flat(1920, 1080), given), name))
    assert (found.format, found.size, found.mode) == (form, (WIDTH, HEIGHT), "RGB")
    assert near(found.getpixel((640, 360)), (255, 0, 0))


@pytest.mark.parametrize("size", [(1000, 1000), (700, 2000), (3000, 500)])
def test_another_shape_stands_between_black_bars(size: tuple[int, int]) -> None:
    found = opened(thumbnail(encoded(flat(*size)), "a.png"))
    assert found.size == (WIDTH, HEIGHT)
    assert near(found.getpixel((640, 360)), (255, 0, 0))
    assert near(found.getpixel((0, 0)), (0, 0, 0))


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_the_worst_picture_fits(name: str) -> None:
    given = encoded(noise(WIDTH, HEIGHT), compress_level=1)
    assert len(given) > LARGEST
    made = thumbnail(given, name)
    assert len(made) <= LARGEST
    drawn = np.asarray(opened(made).convert("RGB"), dtype=int)
    off = np.abs(drawn - np.asarray(noise(WIDTH, HEIGHT), dtype=int)).mean()
    assert off < 60  # another picture of this kind would be off by 85


def test_the_camera_s_data_and_what_hides_in_the_file_are_dropped() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010E] = "taken at home " + SCRIPT.decode()
    left_red = flat(720, 1280, "blue")
    left_red.paste(flat(720, 640), (0, 0))
    given = encoded(left_red, "JPEG", exif=exif, comment=SCRIPT, quality=95) + SCRIPT
    assert given.count(SCRIPT) == 3
    made = thumbnail(given, "a.jpg")
    assert SCRIPT not in made
    found = opened(made)
    assert not found.getexif()
    assert "comment" not in found.info
    # Turned upright: what was on top is on the right.
    assert near(found.getpixel((1200, 360)), (255, 0, 0))
    assert near(found.getpixel((80, 360)), (0, 0, 255))


@pytest.mark.parametrize(
    "picture",
    [
        flat(1280, 720, (255, 0, 0, 0), "RGBA"),
        flat(1280, 720, (9, 0), "LA"),
        flat(1280, 720, (1, 2, 3, 0), "RGBA").quantize(2),
    ],
)
def test_what_shines_through_is_white(picture: Image.Image) -> None:
    found = opened(thumbnail(encoded(picture), "a.png")).convert("RGB")
    assert found.getpixel((640, 360)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "CMYK"])
def test_other_kinds_of_pixels(mode: str) -> None:
    picture = flat(1280, 720, 0, mode)
    found = opened(thumbnail(encoded(picture, "JPEG" if mode == "CMYK" else "PNG"), "a.png"))
    assert found.mode in ("RGB", "P")


def png_head(width: int, height: int) -> bytes:
    """A PNG that says to be of this size and holds no pixels: a bomb's head."""
    body = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    data = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = [body, data, b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (len(each) - 4).to_bytes(4, "big") + each + zlib.crc32(each).to_bytes(4, "big")
        for each in chunks
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.png cannot be read as a picture: give a whole PNG, JPEG or WebP."),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cannot be read as a picture"),
        (b"<html>" + SCRIPT, "cannot be read as a picture"),
        (encoded(flat(1280, 720), "GIF"), "cannot be read as a picture"),
        (encoded(flat(1280, 720), "TIFF"), "cannot be read as a picture"),
        (encoded(flat(1280, 720), "PDF"), "cannot be read as a picture"),
        (encoded(noise(800, 800))[:-2000], "cannot be read as a picture"),
        (encoded(flat(639, 359)), "has only 639×359 pixels: give 640×360 or more"),
        (png_head(8000, 6000), "has 8000×6000 pixels: shrink it to 1280×720"),
        (png_head(12_000, 12_000), "larger than 40,000,000 pixels"),
        (png_head(2**31 - 1, 2**31 - 1), "larger than 40,000,000 pixels|cannot be read"),
        (png_head(1280, 720), "cannot be read as a picture"),
        (b"\0" * (LARGEST_GIVEN + 1), "has 21 MiB: 20 are taken, shrink it"),
    ],
)
def test_what_is_no_usable_picture_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        thumbnail(content, "a.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_broken_file_is_a_picture_or_a_sentence(form: str) -> None:
    dice = random.Random(form)
    whole = encoded(noise(16, 9).resize((640, 360)), form)
    refused = 0
    for _ in range(6):
        broken = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        try:
            made = thumbnail(
                bytes(broken[: dice.choice([None, dice.randrange(len(broken))])]), "a.jpg"
            )
        except InputError:
            refused += 1
        else:
            assert opened(made).size == (WIDTH, HEIGHT)
    assert refused


def test_the_default_pictures_need_no_change() -> None:
    found = default_thumbnails()
    assert list(found) == ["lecture.png", "seminar.png", "workshop.png"]
    for content in found.values():
        picture = opened(content)
        assert (picture.format, picture.size) == ("PNG", (WIDTH, HEIGHT))
        assert len(content) < 20_000
        assert len(picture.convert("RGB").getcolors(1000) or []) >= 3
