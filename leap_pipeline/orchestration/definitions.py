"""The code location: assets, jobs, sensors, and the one resource they share."""

import warnings

import dagster as dg

from assets import speech, uploads, video
from leap_pipeline import logs
from leap_pipeline.orchestration.health import health_sensor, nothing_is_stuck, platform
from leap_pipeline.orchestration.inbox import webhook_inbox_sensor
from leap_pipeline.orchestration.jobs import prepare, publish
from leap_pipeline.orchestration.launching import launch_sensor
from leap_pipeline.orchestration.mirror import automation_mirror
from leap_pipeline.orchestration.notices import notice_delivery_sensor
from leap_pipeline.orchestration.outcomes import outcome_sensors
from leap_pipeline.orchestration.polling import zoom_poll_sensor
from leap_pipeline.orchestration.processing import (
    make_sensor,
    opened_accounts,
    processing_checks,
)
from leap_pipeline.orchestration.retention import retention, retention_schedule
from leap_pipeline.orchestration.sensors import reconcile_sensor
from resources.leap import LeapResource

logs.install()


def _assets() -> list[dg.AssetsDefinition]:
    """The assets with links to their code, which Dagster 1.13 announces as beta at every asset."""
    loaded = dg.load_assets_from_modules([video, speech, uploads])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        linked = dg.with_source_code_references(loaded)
    return [each for each in linked if isinstance(each, dg.AssetsDefinition)]


defs = dg.Definitions(
    assets=[*_assets(), platform],
    asset_checks=[nothing_is_stuck, *processing_checks],
    jobs=[prepare, publish, retention],
    schedules=[retention_schedule],
    sensors=[
        reconcile_sensor,
        zoom_poll_sensor,
        launch_sensor,
        *outcome_sensors,
        health_sensor,
        automation_mirror,
        webhook_inbox_sensor,
        notice_delivery_sensor,
        make_sensor(opened_accounts),
    ],
    resources={"leap": LeapResource()},
    # A process a step costs five times the CPU, and one claim has to span all steps of a run.
    executor=dg.in_process_executor,
)
