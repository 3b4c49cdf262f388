"""Publishing: one asset a platform, a run of its own each."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from assets.partitions import recordings
from assets.step import Made, Step, perform
from leap_pipeline.domain.planner import PLATFORM_NAMES, UPLOADS, Asset
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import UserActionError
from leap_pipeline.services.work import Begun, Work
from resources.leap import LeapResource


def _publisher(platform: Platform) -> dg.AssetsDefinition:
    name = PLATFORM_NAMES[platform]

    @dg.asset(
        name=str(UPLOADS[platform]),
        deps=[str(Asset.TRIMMED_VIDEO), str(Asset.TOPICS), str(Asset.SUBTITLES)],
        partitions_def=recordings,
        group_name="publish",
        owners=["team:publishing"],
        kinds={str(platform).lower()},
        tags={"leap/phase": "publish", "leap/platform": str(platform).lower()},
        output_required=False,
        description=(
            f"The lecture on {name}, with title, description, captions and thumbnail from its "
            f"template. Needs a {name} preset; without one it is left out and says so."
        ),
    )
    def upload(context: dg.AssetExecutionContext, leap: LeapResource) -> Iterator[Step]:
        yield from perform(context, leap, UPLOADS[platform], publish)

    def publish(work: Work, begun: Begun, folder: Path) -> Made:  # noqa: ARG001
        msg = f"A {name} preset is set, but this version of LEAP cannot publish to {name} yet."
        raise UserActionError(msg)

    return upload


youtube_upload = _publisher(Platform.YOUTUBE)
vk_upload = _publisher(Platform.VK)
