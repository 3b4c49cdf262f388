"""What a launch asks of Dagster: the assets it names, and the checks that belong to its run."""

from __future__ import annotations

import pytest

from leap_pipeline.domain.planner import PREPARE_ASSETS, UPLOADS, Asset
from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.orchestration.definitions import defs
from leap_pipeline.orchestration.launches import run_request
from leap_pipeline.services.launching import Launch


def steps(phase: Phase, platform: Platform | None, *assets: Asset) -> set[str]:
    """The steps of the run that Dagster makes of it."""
    launch = Launch(
        user_id="01J",
        recording_id=7,
        run_id=3,
        generation=2,
        partition="000001-7",
        phase=phase,
        platform=platform,
        selection=assets,
        run_key="key",
    )
    asked = run_request(launch)
    assert asked.asset_selection is not None
    assert asked.job_name is not None
    checks = None if asked.asset_check_keys is None else frozenset(asked.asset_check_keys)
    job = defs.resolve_job_def(asked.job_name).get_subset(
        asset_selection=frozenset(asked.asset_selection), asset_check_selection=checks
    )
    return {node.name for node in job.nodes}


@pytest.mark.parametrize("platform", list(Platform))
def test_an_upload_answers_no_check_of_its_own(platform: Platform) -> None:
    assert steps(Phase.PUBLISH, platform, UPLOADS[platform]) == {str(UPLOADS[platform])}


def test_what_is_prepared_answers_its_checks_in_its_own_step() -> None:
    assert steps(Phase.PREPARE, None, *PREPARE_ASSETS) == {str(each) for each in PREPARE_ASSETS}
