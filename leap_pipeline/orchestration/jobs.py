"""The two jobs: everything up to subtitles in one run, and each upload in a run of its own."""

import dagster as dg

from leap_pipeline.domain.planner import PREPARE_ASSETS, UPLOADS
from leap_pipeline.domain.states import Phase

prepare = dg.define_asset_job(
    str(Phase.PREPARE),
    selection=[str(asset) for asset in PREPARE_ASSETS],
    description="From the raw video to subtitles: one run a recording.",
)
publish = dg.define_asset_job(
    str(Phase.PUBLISH),
    # Whether a platform has processed a video is asked later, by a sensor.
    selection=dg.AssetSelection.assets(*map(str, UPLOADS.values())).without_checks(),
    description="One target of a recording: one run a platform.",
)
