"""A launch in Dagster's terms."""

import dagster as dg

from leap_pipeline.domain.states import Phase
from leap_pipeline.services.launching import Launch
from resources.leap import (
    GENERATION_TAG,
    PHASE_TAG,
    RECORDING_TAG,
    ROW_TAG,
    TARGET_TAG,
    USER_TAG,
)


def tags_of(launch: Launch) -> dict[str, str]:
    """The tags that carry the run token, and those by which people find the run."""
    tags = {
        USER_TAG: launch.user_id,
        RECORDING_TAG: str(launch.recording_id),
        PHASE_TAG: str(launch.phase),
        ROW_TAG: str(launch.run_id),
        GENERATION_TAG: str(launch.generation),
    }
    return tags | ({TARGET_TAG: str(launch.platform)} if launch.platform else {})


def selection_of(launch: Launch) -> list[dg.AssetKey]:
    return [dg.AssetKey(str(asset)) for asset in launch.selection]


def checks_of(launch: Launch) -> list[dg.AssetCheckKey] | None:
    """None: all of its assets. Those of uploads are answered later, by the sensor `processing`."""
    return [] if launch.phase is Phase.PUBLISH else None


def run_request(launch: Launch) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=launch.run_key,
        job_name=str(launch.phase),
        asset_selection=selection_of(launch),
        asset_check_keys=checks_of(launch),
        partition_key=launch.partition,
        tags=tags_of(launch),
    )
