"""Publishing: one asset a platform, a run of its own each."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from assets.step import Made, Step, artifact, perform
from leap_pipeline.domain.planner import PLATFORM_NAMES, UPLOADS, Asset
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import UserActionError
from leap_pipeline.services.work import Begun, Work
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
        yield from perform(context, leap, UPLOADS[platform], publish)

    def publish(work: Work, begun: Begun, folder: Path) -> Made:  # noqa: ARG001
        msg = f"A {name} preset is set, but this version of LEAP cannot publish to {name} yet."
        raise UserActionError(msg)

    return upload


youtube_upload = _publisher(Platform.YOUTUBE)
vk_upload = _publisher(Platform.VK)
