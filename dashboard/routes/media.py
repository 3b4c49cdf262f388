"""What is watched: videos, subtitles and pictures, from the storage.

    GET /recordings/{id}/video?kind=original|processed
    GET /recordings/{id}/subtitles.vtt?kind=…, /recordings/{id}/subtitles.srt?kind=…
    GET /recordings/{id}/thumbnail
    GET /thumbnails/{name}?of={user}        `of` for admins

Paths come from the database alone, which is asked each time in the scope of whoever asks: what is
another tenant's, or deleted, is not there.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.console import Console
from dashboard.routes.answers import answered, number_in, scope_of, who_of
from dashboard.routes.stored_files import file_answer, text_answer
from leap_pipeline.errors import InputError, NotFound
from leap_pipeline.services.playback import (
    Material,
    VideoKind,
    load_material,
    stored_subtitles,
    subtitles_on,
    thumbnail_of,
)
from leap_pipeline.services.sessions import SignedIn
from leap_pipeline.services.thumbnails import find_thumbnail


class MediaRoutes:
    """The routes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/recordings/{id}/video", self._video),
            Route("/recordings/{id}/subtitles.{form}", self._subtitles),
            Route("/recordings/{id}/thumbnail", self._thumbnail),
            Route("/thumbnails/{name}", self._picture),
        ]

    async def _video(self, request: Request) -> Response:
        async def act() -> Response:
            material = await material_of(self._console, request)
            path = self._console.storage.path(material.video(kind_in(request)))
            return await file_answer(request, path)

        return await answered(request, act)

    async def _subtitles(self, request: Request) -> Response:
        async def act() -> Response:
            form = request.path_params["form"]
            material = await material_of(self._console, request)
            return await subtitles_answer(self._console, request, material, form)

        return await answered(request, act)

    async def _thumbnail(self, request: Request) -> Response:
        async def act() -> Response:
            number = number_in(request)

            def find() -> str:
                with scope_of(self._console, who_of(request)) as session:
                    material = load_material(session, number)
                    return thumbnail_of(session, self._console.storage, material)

            path = await run_in_threadpool(find)
            return await file_answer(request, self._console.storage.path(path))

        return await answered(request, act)

    async def _picture(self, request: Request) -> Response:
        async def act() -> Response:
            path = await run_in_threadpool(self._find_picture, request)
            return await file_answer(request, self._console.storage.path(path))

        return await answered(request, act)

    def _find_picture(self, request: Request) -> str:
        who, name = who_of(request), request.path_params["name"]
        with scope_of(self._console, who) as session:
            owner = _owner(who, request.query_params.get("of"))
            path = find_thumbnail(session, self._console.storage, owner, name)
        if path is None:
            msg = f"There is no picture {name:.100}."
            raise NotFound(msg)
        return path


async def material_of(console: Console, request: Request) -> Material:
    """The recording of the address, if whoever asks may look at it; raises `NotFound`."""
    number = number_in(request)

    def load() -> Material:
        with scope_of(console, who_of(request)) as session:
            return load_material(session, number)

    return await run_in_threadpool(load)


def kind_in(request: Request) -> VideoKind | None:
    """The video that the address names; None: the one that is published."""
    text = request.query_params.get("kind")
    if text is None:
        return None
    try:
        return VideoKind(text)
    except ValueError:
        msg = f"A video is {' or '.join(VideoKind)}, not “{text:.20}”."
        raise InputError(msg) from None


async def subtitles_answer(
    console: Console, request: Request, material: Material, form: str, save_as: str | None = None
) -> Response:
    """Subtitles for one of the videos, by default for the one they were made of."""
    kind = kind_in(request) or material.spoken_on
    text = await run_in_threadpool(subtitles_on, material, kind, console.storage, form)
    if text is not None:
        return text_answer(request, f"subtitles.{form}", text, save_as=save_as)
    path = console.storage.path(stored_subtitles(material, form))
    return await file_answer(request, path, save_as=save_as)


def _owner(who: SignedIn, asked: str | None) -> str:
    if asked in (None, who.user_id):
        return who.user_id
    if not who.rights.is_admin:
        msg = "There is no such picture."
        raise NotFound(msg)
    return asked or who.user_id
