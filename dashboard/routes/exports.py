"""What is taken away for use outside, with `can_export_data`.

    GET /exports/recordings.csv?…, /exports/recordings.json?…
    GET /recordings/{id}/files/{name}

A list takes the filters of the recordings' page. Each export leaves an entry in the audit log.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import PurePosixPath

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dashboard.console import Console
from dashboard.routes.answers import actor_of, answered, number_in, scope_of, who_of
from dashboard.routes.media import subtitles_answer
from dashboard.routes.stored_files import disposition, file_answer, text_answer
from leap_pipeline.db.repositories.recordings import RecordingFilter
from leap_pipeline.domain.permissions import Permission, require
from leap_pipeline.domain.states import RecordingStatus
from leap_pipeline.errors import InputError, NotFound
from leap_pipeline.services.exports import (
    as_csv,
    as_json,
    begin_export,
    begin_file_export,
    exported,
    transcript_text,
)
from leap_pipeline.services.playback import Material, load_material, read_spoken
from leap_pipeline.services.sessions import SignedIn

EVERYTHING, BIN = "ALL", "BIN"
LONGEST_USER = 26
FORMS = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "json": (as_json, "application/json"),
}
FILES = (
    "transcript.json",
    "transcript.txt",
    "subtitles.srt",
    "subtitles.vtt",
    "topics.json",
    "video.mp4",
)


class ExportRoutes:
    """The routes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/exports/recordings.{form}", self._list, methods=["GET"]),
            Route("/recordings/{id}/files/{name}", self._file, methods=["GET"]),
        ]

    async def _list(self, request: Request) -> Response:
        async def act() -> Response:
            who, form = who_of(request), request.path_params["form"]
            require(who.rights, Permission.EXPORT_DATA)
            if form not in FORMS:
                msg = f"Recordings are exported as {' or '.join(FORMS)}, not as {form:.20}."
                raise NotFound(msg)
            lines = await run_in_threadpool(self._lines, request, form)
            today = datetime.now(UTC).date().isoformat()
            return StreamingResponse(
                lines,
                media_type=FORMS[form][1],
                headers={
                    "content-disposition": disposition(f"recordings {today}.{form}"),
                    "cache-control": "private, no-store",
                },
            )

        return await answered(request, act)

    def _lines(self, request: Request, form: str) -> Iterator[str]:
        """The first page is read here, so that what is wrong with the request is told."""
        who, given = who_of(request), request.query_params
        criteria = criteria_in(given)
        of = _owner(who, given.get("owner") or EVERYTHING)
        with scope_of(self._console, who) as session:
            begin_export(session, who.rights, actor_of(request), form, criteria, of)
        pages = exported(
            lambda: scope_of(self._console, who), criteria, of=of, sort=given.get("sort") or None
        )
        return FORMS[form][0](chain([next(pages)], pages))

    async def _file(self, request: Request) -> Response:
        async def act() -> Response:
            who, name = who_of(request), request.path_params["name"]
            require(who.rights, Permission.EXPORT_DATA)
            if name not in FILES:
                msg = f"There is no file {name:.50}: choose one of {', '.join(FILES)}."
                raise NotFound(msg)
            number = number_in(request)

            def load() -> Material:
                with scope_of(self._console, who) as session:
                    material = load_material(session, number)
                    begin_file_export(session, who.rights, actor_of(request), material, name)
                    return material

            return await self._kept(request, await run_in_threadpool(load), name)

        return await answered(request, act)

    async def _kept(self, request: Request, material: Material, name: str) -> Response:
        storage, save_as = self._console.storage, f"{material.name} - {name}"
        kind, _, form = name.partition(".")
        if kind == "subtitles":
            return await subtitles_answer(self._console, request, material, form, save_as)
        if name == "transcript.txt":
            text = await run_in_threadpool(lambda: transcript_text(read_spoken(material, storage)))
            return text_answer(request, name, text, save_as=save_as)
        if kind == "video":
            path = material.video()
            save_as = f"{material.name}{PurePosixPath(path).suffix}"
        else:
            path = _text_file(material, kind)
        return await file_answer(request, storage.path(path), save_as=save_as)


def criteria_in(given: QueryParams) -> RecordingFilter:
    """The filters of the recordings' page as they stand in its address; raises `InputError`."""
    status = given.get("status") or EVERYTHING
    return RecordingFilter(
        statuses=(_status(status),) if status not in (EVERYTHING, BIN) else (),
        deleted=status == BIN,
        text=(given.get("q") or "").replace("\0", "")[:200],
        template_id=_number(given, "template"),
        source_id=_number(given, "source"),
        blank=_yes_or_no(given, "blank"),
    )


def _owner(who: SignedIn, asked: str) -> str | None:
    """Whose recordings; None is everybody's, as admins have the list where they choose nobody."""
    if not who.rights.is_admin:
        return who.user_id
    if asked == EVERYTHING:
        return None
    if not (asked.isascii() and asked.isalnum() and len(asked) <= LONGEST_USER):
        msg = f"“{asked:.30}” is no user's id: choose an owner from the list."
        raise InputError(msg)
    return asked


def _text_file(material: Material, kind: str) -> str:
    path = material.transcript if kind == "transcript" else material.topics
    if path is None:
        msg = f"Recording {material.recording_id} has no {kind} yet: run it first."
        raise NotFound(msg)
    return path


def _status(text: str) -> RecordingStatus:
    try:
        return RecordingStatus(text)
    except ValueError:
        msg = f"“{text:.30}” is no status of a recording: use one of {', '.join(RecordingStatus)}."
        raise InputError(msg) from None


def _number(given: QueryParams, name: str) -> int | None:
    text = given.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        msg = f"“{text:.30}” is no number of a {name}: choose one from the list."
        raise InputError(msg)
    return int(text) or None


def _yes_or_no(given: QueryParams, name: str) -> bool | None:
    text = given.get(name)
    if not text:
        return None
    if text not in ("yes", "no"):
        msg = f"{name} is yes or no, not “{text:.30}”."
        raise InputError(msg)
    return text == "yes"
