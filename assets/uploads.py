"""Publishing: one asset a platform, a run of its own each."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from assets import show
from assets.step import Made, Step, artifact, perform
from leap_pipeline.domain.planner import PLATFORM_NAMES, UPLOADS, Asset
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import LeapError
from leap_pipeline.media.thumbnails import small_jpeg
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.platform_accounts import PlatformAccounts
from leap_pipeline.services.publish_run import Published, publish_target
from leap_pipeline.services.publish_status import step_title
from leap_pipeline.services.work import Begun, Work
from leap_pipeline.settings import load_settings
from resources.leap import LeapResource


def _publisher(platform: Platform) -> dg.AssetsDefinition:
    name = PLATFORM_NAMES[platform]

    @artifact(
        UPLOADS[platform],
        description=(
            f"The lecture on {name}, with title, description, captions and thumbnail from its "
            f"template. Needs a {name} preset; without one it is left out and says so."
        ),
        owner="publishing",
        kinds={str(platform).lower()},
        stage="upload",
        deps=[Asset.TRIMMED_VIDEO, Asset.TOPICS, Asset.SUBTITLES],
    )
    def upload(context: dg.AssetExecutionContext, leap: LeapResource) -> Iterator[Step]:
        yield from perform(context, leap, UPLOADS[platform], _publish)

    return upload


def _publish(work: Work, begun: Begun, folder: Path) -> Made | None:  # noqa: ARG001
    settings = load_settings()
    vault = load_vault(settings)
    with PlatformAccounts(work.database, vault, settings) as accounts:
        published = publish_target(work, vault, accounts, now=work.database.now)
    return None if published is None else Made(metadata=_shown(work, published))


def _shown(work: Work, published: Published) -> dict[str, object]:
    sent, publication = published.sent, published.publication
    steps = [
        {
            "what": step_title(publication.platform, line.kind, line.name),
            "state": str(line.state),
            "why": line.reason or "",
        }
        for line in published.steps
    ]
    notes = [f"{note.about}: {note.text}" for note in publication.texts.notes]
    return {
        "link": dg.MetadataValue.url(published.video.url),
        "title": sent.title or "none",
        "description": show.verbatim(sent.description or "none"),
        "thumbnail": _thumbnail(work, publication.thumbnail),
        "tags": ", ".join(sent.tags) or "none",
        "settings": dg.MetadataValue.json(sent.settings),
        "beside the video": show.table(steps),
        "notes": "\n".join([*notes, *publication.remarks]) or "none",
    }


def _thumbnail(work: Work, path: str | None) -> dg.MarkdownMetadataValue | str:
    """The picture itself; what cannot be shown never fails an upload that is done."""
    if path is None:
        return "none"
    try:
        picture = small_jpeg(work.storage.fetch(path).read_bytes(), path)
    except (OSError, LeapError) as error:
        return f"{path} cannot be shown: {error}"
    return show.picture(picture, "jpeg", "the thumbnail")


youtube_upload = _publisher(Platform.YOUTUBE)
vk_upload = _publisher(Platform.VK)
