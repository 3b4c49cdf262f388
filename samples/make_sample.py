"""Makes `lecture.mp4`, the short lecture of the demo and the tests, and its ground truth.

    python samples/make_sample.py [FOLDER]

Needs the `flite` program with its voice `slt` (Debian: `apt-get install flite`), and of LEAP's own
dependencies NumPy, Pillow and imageio-ffmpeg. Speech edges are measured on the synthesized wave
itself, before noise and before any codec, so that they judge LEAP and not the other way round.
A strip of blocks at the foot of each picture holds the frame's number in Gray code: a test can
read from the picture alone which frame of the recording it sees.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Wave = NDArray[np.float64]

RATE = 16_000  # Hz, what flite speaks at
ENCODED_RATE = 32_000  # Hz, as in real meeting recordings
FPS = 25
WIDTH, HEIGHT = 640, 360
NOISE_DBFS = -62.0
PEAK = 0.7
EDGE = 10 ** (-40 / 20)  # what is softer before the first and after the last louder sample is cut
SENTENCE_GAP = 0.45  # s
SEED = 20_240_901
CODE_BITS, CODE_BLOCK, CODE_LEFT, CODE_TOP = 12, 16, 16, 336  # the strip of blocks, px


@dataclass(frozen=True)
class Slide:
    """One picture and what is said while it is on screen; `silence` seconds come before it."""

    subject: str
    title: str
    bullets: tuple[str, ...]
    sentences: tuple[str, ...]
    silence: float


SLIDES = (
    Slide(
        subject="Photosynthesis",
        title="Photosynthesis",
        bullets=("Light from the sun", "Carbon dioxide and water", "Sugar and oxygen"),
        sentences=(
            "Today we begin with photosynthesis.",
            "Green plants use light from the sun to make their own food.",
            (
                "The leaves take in carbon dioxide from the air, "
                "and the roots take in water from the soil."
            ),
            (
                "Inside each green leaf, light gives the plant the energy "
                "to turn carbon dioxide and water into sugar."
            ),
        ),
        silence=5.0,
    ),
    Slide(
        subject="Photosynthesis",
        title="Why it matters",
        bullets=("Plants grow", "Animals breathe"),
        sentences=(
            "Plants use the sugar to grow more leaves and roots.",
            "Photosynthesis also puts oxygen into the air.",
            "Without green plants, animals would have no oxygen to breathe.",
        ),
        silence=3.0,
    ),
    Slide(
        subject="Binary search",
        title="Binary search",
        bullets=("Needs a sorted list", "Look in the middle", "Keep one half"),
        sentences=(
            "Our second subject is binary search.",
            "Binary search finds a number in a sorted list.",
            "We first look at the number in the middle of the list.",
            "If our number is smaller, we keep only the left half of the list.",
            "If our number is larger, we keep only the right half.",
            "Then the search looks in the middle of that half, and so on.",
        ),
        silence=6.0,
    ),
    Slide(
        subject="Binary search",
        title="Why it is fast",
        bullets=("Each step halves the list",),
        sentences=(
            "Each step of binary search cuts the list in half.",
            "So even a very long sorted list needs only a few steps.",
            "Remember, binary search works only when the list is sorted.",
        ),
        silence=1.0,
    ),
)
FINAL_SILENCE = 5.0  # s


def speak(sentence: str, folder: Path) -> Wave:
    """The sentence in flite's voice `slt`, cut to its first and last audible sample."""
    target = folder / "sentence.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", sentence, "-o", str(target)], check=True)
    with wave.open(str(target)) as file:
        if file.getframerate() != RATE or file.getnchannels() != 1:
            msg = f"flite wrote {file.getframerate()} Hz, {RATE} Hz mono was expected"
            raise SystemExit(msg)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32768.0


def trimmed(samples: Wave) -> Wave:
    audible = np.flatnonzero(np.abs(samples) > EDGE)
    return samples[audible[0] : audible[-1] + 1]


def synthesize() -> list[list[Wave]]:
    """Waves by slide and sentence, with one common gain."""
    with tempfile.TemporaryDirectory() as folder:
        raw = [[speak(s, Path(folder)) for s in slide.sentences] for slide in SLIDES]
    loudest = max(float(np.abs(wave_).max()) for slide in raw for wave_ in slide)
    return [[trimmed(wave_ * PEAK / loudest) for wave_ in slide] for slide in raw]


def arrange(waves: list[list[Wave]]) -> tuple[Wave, dict[str, Any]]:
    """Everything on one time axis: the clean sound and the ground truth."""
    pieces: list[Wave] = []
    sentences: list[dict[str, Any]] = []
    silences: list[dict[str, float]] = []
    position = 0

    def rest(seconds: float, *, until: int = 1) -> None:
        nonlocal position
        length = round(seconds * RATE)
        length += -(position + length) % until
        if seconds > SENTENCE_GAP:
            silences.append({"start": position / RATE, "end": (position + length) / RATE})
        pieces.append(np.zeros(length))
        position += length

    for slide, spoken in zip(SLIDES, waves, strict=True):
        rest(slide.silence)
        for number, (text, sound) in enumerate(zip(slide.sentences, spoken, strict=True)):
            if number:
                rest(SENTENCE_GAP)
            start, position = position, position + len(sound)
            pieces.append(sound)
            times = {"start": start / RATE, "end": position / RATE}
            sentences.append({"subject": slide.subject, **times, "text": text})
    rest(FINAL_SILENCE, until=RATE // FPS)
    truth = describe(position / RATE, sentences, silences)
    return np.concatenate(pieces), truth


def describe(
    duration: float, sentences: list[dict[str, Any]], silences: list[dict[str, float]]
) -> dict[str, Any]:
    subjects: list[dict[str, Any]] = []
    for sentence in sentences:
        if not subjects or subjects[-1]["title"] != sentence["subject"]:
            subjects.append({"title": sentence["subject"], "start": sentence["start"]})
        subjects[-1]["end"] = sentence["end"]
    return {
        "duration": duration,
        "language": "en",
        "noise_dbfs": NOISE_DBFS,
        "fps": FPS,
        "width": WIDTH,
        "height": HEIGHT,
        "frame_code": {
            "bits": CODE_BITS,
            "block": CODE_BLOCK,
            "left": CODE_LEFT,
            "top": CODE_TOP,
            "order": "most significant first, Gray code, light is 1",
        },
        "text": " ".join(sentence["text"] for sentence in sentences),
        "sentences": sentences,
        "silences": silences,
        "subjects": subjects,
    }


def with_noise(clean: Wave) -> bytes:
    """The floor of a quiet room under it all, as 16-bit PCM."""
    generator = np.random.default_rng(SEED)
    noisy = clean + generator.normal(0.0, 10 ** (NOISE_DBFS / 20), len(clean))
    return bytes((np.clip(noisy, -1.0, 1.0) * 32767).astype("<i2").tobytes())


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def draw_slide(slide: Slide, number: int) -> Image.Image:
    picture = Image.new("RGB", (WIDTH, HEIGHT), "#f6f3ea")
    draw = ImageDraw.Draw(picture)
    accent = "#2f6b3c" if slide.subject == SLIDES[0].subject else "#274b7a"
    draw.rectangle((0, 0, WIDTH, 76), fill=accent)
    draw.text((32, 18), slide.title, fill="white", font=font(34))
    for row, bullet in enumerate(slide.bullets):
        top = 112 + row * 56
        draw.ellipse((36, top + 10, 48, top + 22), fill=accent)
        draw.text((66, top), bullet, fill="#202020", font=font(26))
    draw.text((WIDTH - 84, 326), f"{number} / {len(SLIDES)}", fill="#6a6a6a", font=font(16))
    draw.rectangle((0, CODE_TOP - 4, CODE_LEFT * 2 + CODE_BITS * CODE_BLOCK, HEIGHT), fill="black")
    return picture


def stamp(slide: Image.Image, frame: int) -> bytes:
    """The slide with the frame's number in its strip, as RGB bytes."""
    picture = slide.copy()
    draw = ImageDraw.Draw(picture)
    code = frame ^ (frame >> 1)
    for bit in range(CODE_BITS):
        if code >> (CODE_BITS - 1 - bit) & 1:
            left = CODE_LEFT + bit * CODE_BLOCK
            draw.rectangle(
                (left, CODE_TOP, left + CODE_BLOCK - 3, CODE_TOP + CODE_BLOCK - 1), fill="white"
            )
    return picture.tobytes()


def frames(truth: dict[str, Any]) -> Iterator[bytes]:
    """Each slide shows from one second before its first word."""
    slides = [draw_slide(slide, number) for number, slide in enumerate(SLIDES, start=1)]
    firsts = [truth["sentences"][index]["start"] - 1.0 for index in first_sentences()]
    shown = 0
    for frame in range(round(truth["duration"] * FPS)):
        while shown + 1 < len(slides) and frame / FPS >= firsts[shown + 1]:
            shown += 1
        yield stamp(slides[shown], frame)


def first_sentences() -> list[int]:
    lengths = [len(slide.sentences) for slide in SLIDES]
    return [sum(lengths[:index]) for index in range(len(lengths))]


def encode(sound: bytes, truth: dict[str, Any], target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "sound.raw"
        raw.write_bytes(sound)
        command = [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}"),
            *("-r", str(FPS), "-i", "-"),
            *("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", str(raw)),
            *("-c:v", "libx264", "-preset", "veryslow", "-crf", "26", "-tune", "stillimage"),
            *("-pix_fmt", "yuv420p", "-g", "250", "-threads", "1"),
            *("-c:a", "aac", "-b:a", "64k", "-ar", str(ENCODED_RATE), "-ac", "1"),
            *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"),
            *("-movflags", "+faststart", str(target)),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            if process.stdin is None:
                raise SystemExit(1)
            for picture in frames(truth):
                process.stdin.write(picture)
            process.stdin.close()
            if process.wait() != 0:
                msg = f"FFmpeg ended with exit code {process.returncode}"
                raise SystemExit(msg)


def main() -> None:
    if shutil.which("flite") is None:
        msg = "flite is not installed: apt-get install flite"
        raise SystemExit(msg)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    clean, truth = arrange(synthesize())
    if round(truth["duration"] * FPS) >= 2**CODE_BITS:
        msg = f"{truth['duration']:.0f} s do not fit the {CODE_BITS} blocks of the strip"
        raise SystemExit(msg)
    video = folder / "lecture.mp4"
    encode(with_noise(clean), truth, video)
    rounded = json.loads(json.dumps(truth), parse_float=lambda text: round(float(text), 4))
    written = json.dumps(rounded, indent=2, ensure_ascii=False) + "\n"
    (folder / "lecture.truth.json").write_text(written, encoding="utf-8")
    size = math.ceil(video.stat().st_size / 1024)
    sys.stdout.write(f"{video}: {truth['duration']:.2f} s, {size} KiB\n")


if __name__ == "__main__":
    main()
