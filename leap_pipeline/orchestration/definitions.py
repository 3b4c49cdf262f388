"""The code location: assets, jobs, sensor, and the one resource they share."""

import dagster as dg

from assets import speech, uploads, video
from leap_pipeline.orchestration.jobs import prepare, publish
from leap_pipeline.orchestration.sensors import reconcile_sensor
from resources.leap import LeapResource

defs = dg.Definitions(
    assets=dg.with_source_code_references(dg.load_assets_from_modules([video, speech, uploads])),
    jobs=[prepare, publish],
    sensors=[reconcile_sensor],
    resources={"leap": LeapResource()},
    # A process a step costs five times the CPU, and one claim has to span all steps of a run.
    executor=dg.in_process_executor,
)
