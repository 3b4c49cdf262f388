"""Arrays of sound into a file."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from leap_pipeline.media.decode import Samples


def write_audio(
    path: Path, blocks: Iterable[Samples], *, rate: int, channels: int, codec: str, bit_rate: int
) -> None:
    """Encode blocks, shape (samples, channels), full scale 1.0; the container goes by the suffix.

    Raises OSError where the file cannot be written.
    """
    layout = "mono" if channels == 1 else "stereo"
    position = 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if not isinstance(stream, AudioStream):  # for the type checker: the codec is one of sound
            raise TypeError(codec)
        stream.codec_context.bit_rate = bit_rate
        for block in blocks:
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(block.T, dtype=np.float32), format="fltp", layout=layout
            )
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = position
            position += len(block)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
