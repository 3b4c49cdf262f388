"""The links of one download: a link that was refused is never used again."""

from __future__ import annotations

import threading

from leap_pipeline.sources.http_file_requests import (
    FileSource,
    Link,
    LinkUsedUp,
    NotServed,
    NotThere,
    Route,
)

MOST_REFUSALS = 3
PAUSE_SECONDS = 1.0
MISSING = (404, 410)


class Routes:
    """Asks the source for a link once for all connections that need one."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._guard = threading.Lock()
        self._route: Route | None = None
        self._refused: list[Link] = []
        self._refusals = 0

    def now(self, stopped: threading.Event) -> Route:
        """The link to use. Raises what the source raises, and `NotServed` after some refusals."""
        with self._guard:
            while self._route is None:
                link = self._source.fresh()
                if link not in self._refused:
                    self._route = Route(link)
                    break
                self._count(403)
                stopped.wait(PAUSE_SECONDS)
            return self._route

    def used_up(self, route: Route, trouble: LinkUsedUp) -> None:
        """The server refused it; raises where fresh ones were refused as well."""
        with self._guard:
            if self._route is not route:
                return
            self._route = None
            self._refused.append(route.link)
            self._count(trouble.status)

    def good(self) -> None:
        """Bytes came."""
        self._refusals = 0

    def _count(self, status: int) -> None:
        self._refusals += 1
        if self._refusals < MOST_REFUSALS:
            return
        if status in MISSING:
            msg = (
                "The file is not there, also by a fresh link: see whether the source still has it."
            )
            raise NotThere(msg)
        if status == 200:
            msg = (
                "The server sends a web page instead of the file, also by a fresh link: it asks to "
                "sign in or for a passcode, so allow this app to download."
            )
            raise NotServed(msg, status)
        msg = (
            f"The server refuses the file ({status}), also by a fresh link: see whether this "
            "account may download it."
        )
        raise NotServed(msg, status)
