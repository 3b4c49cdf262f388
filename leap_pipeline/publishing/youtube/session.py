"""A resumable upload: its bytes go in chunks, and what YouTube says it kept is what counts.

https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from leap_pipeline.errors import DataError, MustWaitError, TransientError
from leap_pipeline.publishing.youtube.session_requests import Failed, Said, SessionRequests
from leap_pipeline.web.calls import APART_SECONDS
from leap_pipeline.web.tokens import TokenSource

UNIT = 256 * 1024
"""Every chunk but the last is a multiple of it."""
CHUNK = 64 * UNIT
"""At most so much is sent again after a fault; each chunk waits for its answer once."""
PIECE = 4 * UNIT
"""So much of a chunk is read and sent at once: with a quarter of it, Python is the limit."""
PATIENCE = timedelta(seconds=60)
"""So long nothing may arrive; what does begins it anew."""
MOST_FAILURES = 12
CHANGED = "The file was changed meanwhile, so that it is sent anew."
LONGEST_WAIT = 20.0

Dice = Callable[[float, float], float]


class ResumableSession:
    """One session. Not shared between threads.

    Every method raises TransientError and MustWaitError after a minute in which nothing arrived,
    SessionGone where YouTube does not know it any more, and the errors of answers.py.
    """

    def __init__(
        self,
        requests: SessionRequests,
        tokens: TokenSource,
        size: int,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        chunk: int = CHUNK,
        dice: Dice = random.uniform,
    ) -> None:
        if chunk < UNIT or chunk % UNIT:
            msg = f"A chunk of an upload is a multiple of {UNIT} bytes, not {chunk}."
            raise DataError(msg)
        self._requests = requests
        self._tokens = tokens
        self._size = size
        self._chunk = chunk
        self._clock = clock
        self._sleep = sleep
        self._dice = dice

    def probe(self) -> Said:
        """How far it is."""
        patience = self._patience()
        while True:
            try:
                return self._requests.probe()
            except Failed as failed:
                self._care(failed, patience)

    def cancel(self) -> None:
        """Tell YouTube that nothing more comes; a session that is gone is no error."""
        try:
            self._requests.cancel()
        except Failed as failed:
            msg = f"YouTube {failed}: try again later."
            raise TransientError(msg) from failed

    def send(
        self,
        path: Path,
        offset: int,
        passed: Callable[[int], None],
        closing: Callable[[], None],
    ) -> Mapping[str, Any]:
        """The rest of the file from `offset` on; the finished video as YouTube describes it.

        `passed` is told after each piece how many bytes from the beginning went out, `closing`
        ahead of each chunk that has the last byte; what they raise stops the upload.
        """
        patience = self._patience()
        sure = True
        with path.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size != self._size:
                raise TransientError(CHANGED)
            while True:
                passed(offset)
                try:
                    whole = offset >= self._size
                    ask = whole or not sure
                    said = self.probe() if ask else self._put(file, offset, passed, closing)
                except Failed as failed:
                    self._care(failed, patience)
                    sure = False
                    continue
                if said.video is not None:
                    return said.video
                if said.kept > offset:
                    patience.begin_anew()
                elif whole or sure:
                    patience.wait(Failed("takes the bytes and says that it has none"))
                offset, sure = said.kept, True

    def _patience(self) -> _Patience:
        return _Patience(self._clock, self._sleep, self._dice)

    def _put(
        self,
        file: BinaryIO,
        offset: int,
        passed: Callable[[int], None],
        closing: Callable[[], None],
    ) -> Said:
        length = min(self._chunk, self._size - offset)
        if offset + length == self._size:
            closing()
        return self._requests.put(offset, length, _pieces(file, offset, length, passed))

    def _care(self, failed: Failed, patience: _Patience) -> None:
        if failed.refused is None:
            patience.wait(failed)
        elif patience.renewed:
            raise failed.refusal or DataError(str(failed))
        else:
            patience.renewed = True
            self._tokens.renew(failed.refused)


class _Patience:
    """Waits with full jitter between tries, until a minute brought nothing."""

    def __init__(
        self, clock: Callable[[], datetime], sleep: Callable[[float], None], dice: Dice
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._dice = dice
        self.begin_anew()

    def begin_anew(self) -> None:
        self._ends = self._clock() + PATIENCE
        self._failures = 0
        self.renewed = False

    def wait(self, failed: Failed) -> None:
        now = self._clock()
        self._failures += 1
        seconds = self._dice(0.0, min(LONGEST_WAIT, 2.0**self._failures))
        if failed.at is not None:
            named = max(0.0, (failed.at - now).total_seconds())
            room = (self._ends - now).total_seconds() - named - 1.0
            seconds = named + self._dice(0.0, max(0.0, min(APART_SECONDS, room)))
        if self._failures >= MOST_FAILURES or now + timedelta(seconds=seconds) >= self._ends:
            if failed.at is not None and failed.at > now:
                msg = f"YouTube {failed}: it is asked again at {failed.at:%Y-%m-%d %H:%M:%S} UTC."
                raise MustWaitError(msg, failed.at) from failed
            msg = f"YouTube {failed}: try again later."
            raise TransientError(msg) from failed
        self._sleep(seconds)


def _pieces(
    file: BinaryIO, offset: int, length: int, passed: Callable[[int], None]
) -> Iterator[bytes]:
    """Never a whole chunk in memory."""
    file.seek(offset)
    end = offset + length
    while offset < end:
        piece = file.read(min(PIECE, end - offset))
        if not piece:
            raise TransientError(CHANGED)
        yield piece
        offset += len(piece)
        passed(offset)
