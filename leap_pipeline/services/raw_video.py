"""The raw video of a recording, from whatever kind of source it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from leap_pipeline.db.models.recordings import SourceMetadata
from leap_pipeline.errors import DataError, InputError
from leap_pipeline.media.probe import MediaInfo, require_lecture
from leap_pipeline.progress import ProgressCallback
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.ingest import LOCAL_FILE, source_file
from leap_pipeline.services.work import Artifact, Work
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_download import ZOOM, fetch
from leap_pipeline.settings import Settings, load_settings
from leap_pipeline.sources.http_file import Fetched, Tuning
from leap_pipeline.storage.partials import Partial

TOLD_EVERY = 0.1
Tell = Callable[[str], None]


@dataclass(frozen=True)
class RawVideo:
    """`stored_path` is relative to the storage root; `expected` is the size as the source tells it.

    What was fetched lies at `path` until its artifact is put in place, within the block of `held`.
    """

    path: Path
    stored_path: str
    info: MediaInfo
    expected: int | None
    artifacts: Sequence[Artifact] = ()
    held: AbstractContextManager[object] = field(default_factory=nullcontext)
    facts: dict[str, Any] = field(default_factory=dict)


def verified_raw_video(
    work: Work, tell: Tell = lambda _: None, *, settings: Settings | None = None
) -> RawVideo:
    """The raw video, whole and openable; `tell` gets a line for the log now and then."""
    with work.fenced() as session:
        found = session.execute(
            select(SourceMetadata.source_type, SourceMetadata.meta).where(
                SourceMetadata.recording_id == work.recording_id
            )
        ).one_or_none()
    kind = None if found is None else found[0]
    if found is not None and kind == LOCAL_FILE:
        return _handed_over(work, *source_file(found[1]))
    if kind == ZOOM:
        settings = settings or load_settings()
        with ZoomAccounts(work.database, load_vault(settings), settings) as accounts:
            return fetched_video(work, accounts, settings, tell)
    said = "no source" if kind is None else f"a source of type {kind}"
    msg = f"Recording {work.recording_id} has {said}, from which this version cannot fetch."
    raise DataError(msg)


def fetched_video(
    work: Work,
    accounts: ZoomAccounts,
    settings: Settings,
    tell: Tell,
    *,
    tuning: Tuning | None = None,
) -> RawVideo:
    """Download what is missing of a Zoom recording; what came survives this worker."""
    stored_path = work.paths.source()
    with ExitStack() as held:
        unfinished = held.enter_context(work.storage.partial(partial_name(work.recording_id)))
        unfinished.recover(work.storage.path(stored_path))
        progress = _told(work.progress(), tell)
        fetched, listed = fetch(
            work, unfinished, accounts, settings, progress=progress, tuning=tuning
        )
        info = _verified(unfinished, listed)
        return RawVideo(
            path=unfinished.path,
            stored_path=stored_path,
            info=info,
            expected=listed,
            artifacts=[Artifact(unfinished.path, "raw_video", stored_path)],
            facts=_facts(fetched),
            held=held.pop_all(),
        )


def partial_name(recording_id: int) -> str:
    """The unfinished file of a recording."""
    return f"{recording_id}-raw"


def _handed_over(work: Work, stored_path: str, expected: int) -> RawVideo:
    path = work.storage.fetch(stored_path)
    info = require_lecture(path)
    if info.size != expected:
        msg = f"{stored_path} has {info.size} bytes where {expected} were ingested."
        raise DataError(msg)
    return RawVideo(path, stored_path, info, expected)


def _verified(unfinished: Partial, expected: int | None) -> MediaInfo:
    """A file that does not open is not kept: the next attempt begins anew."""
    path = unfinished.path
    try:
        return require_lecture(path)
    except InputError as error:
        size = path.stat().st_size
        told = f", where Zoom listed {expected}" if expected not in (None, size) else ""
        unfinished.discard()
        why = str(error).rpartition(": ")[0].replace(str(path), "The file that Zoom gave out")
        msg = f"{why} ({size} bytes{told}): play it at Zoom, then retry."
        raise InputError(msg) from error


def _told(progress: ProgressCallback, tell: Tell) -> ProgressCallback:
    """Says each tenth once."""
    said = 0

    def each(fraction: float) -> None:
        nonlocal said
        progress(fraction)
        if (tenths := int(fraction / TOLD_EVERY + 1e-9)) > said:
            said = tenths
            tell(f"{tenths * 10} % are here")

    return each


def _facts(fetched: Fetched) -> dict[str, Any]:
    return {
        "megabytes a second": round(fetched.speed / 1e6, 2),
        "connections": fetched.connections,
        "fetched bytes": fetched.fetched,
        "resumed bytes": fetched.resumed,
        "started over": fetched.restarts,
    }
