"""Zoom's recordings as one credential sees them.

client = ZoomClient(http, tokens)
for meeting in client.recordings(Window(date(2026, 11, 1), date(2026, 11, 30)), Who.user("me")):
    ...
meeting = client.meeting("/ab//cd==", for_download=True)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from leap_pipeline.errors import DataError, TransientError
from leap_pipeline.redaction import remember
from leap_pipeline.sources.zoom.addresses import Who, Window, meeting_path
from leap_pipeline.sources.zoom.answers import NO_SCOPE, Asked, code_of, refusal
from leap_pipeline.sources.zoom.errors import PageTokenDied, RecordingMissing
from leap_pipeline.sources.zoom.limits import Category, NoGate, RateGate
from leap_pipeline.sources.zoom.models import ZoomMeeting, read_meeting
from leap_pipeline.web.calls import Answer, Budget, Calls
from leap_pipeline.web.tokens import TokenSource

API = "https://api.zoom.us/v2"
PAGE_SIZE = 300
MOST_RESTARTS = 3
DOWNLOAD_TOKEN_SECONDS = 6 * 3600
LARGEST_ANSWER = 32 * 1024 * 1024

__all__ = ["Who", "Window", "ZoomClient"]
logger = logging.getLogger(__name__)


class ZoomClient:
    """Reads what one credential may see. Safe to share between threads.

    Each call waits for at most 60 s on a Zoom that fails or holds it back. Raises TransientError
    and MustWaitError after that, and the errors of `leap_pipeline.sources.zoom.errors`.
    """

    def __init__(
        self,
        http: httpx.Client,
        tokens: TokenSource,
        *,
        gate: RateGate | None = None,
        api_url: str = API,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._gate = gate or NoGate()
        self._api_url = api_url.rstrip("/")
        self._calls = Calls(http, "Zoom", clock=clock, sleep=sleep)

    def recordings(self, window: Window, who: Who) -> Iterator[ZoomMeeting]:
        """The meetings of a window that have recordings.

        A page token lives 15 minutes. When it dies under a slow reader the window is read again
        from its start, so that a meeting may come more than once.
        """
        for _ in range(1 + MOST_RESTARTS):
            try:
                yield from self._pages(window, who)
            except PageTokenDied:
                logger.info("Zoom's page token ended: %s to %s again", window.start, window.end)
            else:
                return
        msg = (
            f"Zoom's pages from {window.start} to {window.end} ended {MOST_RESTARTS + 1} times "
            "before they were read: try again later."
        )
        raise TransientError(msg)

    def meeting(self, uuid: str, *, for_download: bool = False) -> ZoomMeeting:
        """One meeting; `for_download` with a token that opens its files for six hours.

        Raises RecordingMissing where there is none, or not yet.
        """
        params: dict[str, Any] = {}
        if for_download:
            params = {"include_fields": "download_access_token", "ttl": DOWNLOAD_TOKEN_SECONDS}
        scope = "cloud_recording:read:list_recording_files[:admin]"
        asked = Asked(f"the recording of the meeting {uuid:.60}", scope)
        body = self._get(meeting_path(uuid), params, "light", asked)
        found = read_meeting({"uuid": uuid, **body})
        if found is None:
            msg = f"Zoom's answer about the meeting {uuid:.60} cannot be read: try again later."
            raise TransientError(msg)
        if found.uuid != uuid:
            msg = f"Zoom was asked for the meeting {uuid:.60} and answered with {found.uuid:.60}."
            raise DataError(msg)
        if found.download_access_token is not None:
            remember(found.download_access_token.get_secret_value())
        return found

    def access_token(self) -> SecretStr:
        """What opens a file where a meeting came without a token for its downloads."""
        return self._tokens.get()

    def _pages(self, window: Window, who: Who) -> Iterator[ZoomMeeting]:
        asked = Asked(f"the recordings of {who.id:.60}", who.scope)
        params: dict[str, Any] = {
            "from": window.start.isoformat(),
            "to": window.end.isoformat(),
            "page_size": PAGE_SIZE,
        }
        seen: set[str] = set()
        while True:
            try:
                body = self._get(who.path, params, "medium", asked, listing=True)
            except RecordingMissing as error:
                if seen:  # what was listed is gone half-way: never a listing that is whole
                    raise PageTokenDied from error
                return  # documented for a listing too: there is nothing in it
            yield from _meetings(body["meetings"])
            token = body.get("next_page_token")
            if not token:
                return
            if not isinstance(token, str) or token in seen:
                raise PageTokenDied
            seen.add(token)
            params = {**params, "next_page_token": token}

    def _get(
        self,
        path: str,
        params: Mapping[str, Any],
        category: Category,
        asked: Asked,
        *,
        listing: bool = False,
    ) -> Mapping[str, Any]:
        budget = self._calls.budget()
        token = self._tokens.get()
        answer = self._ask(path, params, token, category, budget)
        if answer.status == httpx.codes.UNAUTHORIZED and code_of(answer.body) not in NO_SCOPE:
            token = self._tokens.renew(token)
            answer = self._ask(path, params, token, category, budget)
        wrong = refusal(answer, asked, paged="next_page_token" in params)
        if wrong is not None:
            raise wrong
        if listing and not isinstance(answer.body.get("meetings"), list):
            msg = f"Zoom's answer about {asked.what} is no listing: try again later."
            raise TransientError(msg)
        return answer.body

    def _ask(
        self,
        path: str,
        params: Mapping[str, Any],
        token: SecretStr,
        category: Category,
        budget: Budget,
    ) -> Answer:
        headers = {
            "Authorization": f"Bearer {token.get_secret_value()}",
            "Accept": "application/json",
        }
        request = self._http.build_request(
            "GET", f"{self._api_url}{path}", params=dict(params), headers=headers
        )
        return self._calls.send(
            request,
            budget,
            before=lambda: self._gate.wait(category),
            held_back=lambda until: self._gate.block(category, until),
            largest=LARGEST_ANSWER,
        )


def _meetings(said: list[object]) -> Iterator[ZoomMeeting]:
    for each in said:
        found = read_meeting(each)
        if found is None:
            logger.warning("Zoom listed a meeting that cannot be read; it was left out")
        else:
            yield found
