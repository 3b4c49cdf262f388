"""The player: a small page of our own that stands in a frame of a recording's page.

GET /recordings/{id}/player?kind=…&theme=light|dark
GET /recordings/{id}/player.json        what it plays and shows, for its script
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard.console import Console
from dashboard.pages_html import page
from dashboard.routes.answers import answered, language_of
from dashboard.routes.media import kind_in, material_of
from leap_pipeline.errors import DataError
from leap_pipeline.services.playback import (
    Material,
    VideoKind,
    chapters_on,
    read_spoken,
    spoken_on,
)
from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.storage.local import LocalStorage

logger = logging.getLogger("leap.console")

THEMES = ("light", "dark")


class PlayerRoutes:
    """The routes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/recordings/{id}/player", self._page),
            Route("/recordings/{id}/player.json", self._data),
        ]

    async def _page(self, request: Request) -> Response:
        async def act() -> Response:
            material = await material_of(self._console, request)
            kind_in(request)
            return page(
                "player.html",
                language=language_of(request),
                theme=theme_in(request),
                has_video=bool(material.videos),
                number=material.recording_id,
            )

        return await answered(request, act)

    async def _data(self, request: Request) -> Response:
        async def act() -> Response:
            material = await material_of(self._console, request)
            said = await run_in_threadpool(player_data, material, self._console.storage)
            return JSONResponse(said, headers={"Cache-Control": "private, no-store"})

        return await answered(request, act)


def theme_in(request: Request) -> str:
    """The theme that the address asks for; empty: as the browser has it."""
    text = request.query_params.get("theme", "")
    return text if text in THEMES else ""


def player_data(material: Material, storage: LocalStorage) -> dict[str, Any]:
    """`{"name", "videos", "lines", "keep"}`; times in seconds.

    Each video has its address, its chapters and the times of the lines, in the order of `lines`.
    `keep` maps between the two: the parts of the original that the processed one has.
    """
    transcript = _spoken(material, storage)
    plan = material.plan
    return {
        "name": material.name,
        "videos": [_video(material, kind, transcript) for kind in material.videos],
        "lines": [each.text.strip() for each in transcript.segments] if transcript else [],
        "keep": [[part.start, part.end] for part in plan.keep] if plan else None,
    }


def _spoken(material: Material, storage: LocalStorage) -> Transcript | None:
    """The transcript; without its file the video can be watched all the same."""
    if material.transcript is None:
        return None
    try:
        return read_spoken(material, storage)
    except DataError:
        logger.exception("The transcript of recording %d cannot be read", material.recording_id)
        return None


def _video(material: Material, kind: VideoKind, transcript: Transcript | None) -> dict[str, Any]:
    base = f"/recordings/{material.recording_id}"
    asked = urlencode({"kind": kind})
    placed = material.can_be_placed(kind)
    spoken = spoken_on(material, kind, transcript).segments if transcript and placed else ()
    return {
        "kind": kind,
        "url": f"{base}/video?{asked}",
        "captions": f"{base}/subtitles.vtt?{asked}" if material.subtitles and placed else None,
        "language": material.language,
        "chapters": [
            {"start": each.start, "title": each.title} for each in chapters_on(material, kind)
        ],
        "times": [[each.start, each.end] for each in spoken],
    }
