"""The asset graph is a snapshot: whoever changes it on purpose changes tests/data/asset_graph.json.

To write it anew: python -m tests.unit.test_asset_graph
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leap_pipeline.orchestration.automation.definitions import definitions_of
from leap_pipeline.orchestration.automation.rows import Loaded
from leap_pipeline.orchestration.definitions import defs

SNAPSHOT = Path(__file__).resolve().parents[1] / "data" / "asset_graph.json"


def described() -> dict[str, Any]:
    """Keys, dependencies, policies and checks of every asset; jobs, sensors and schedules."""
    graph = defs.resolve_asset_graph()
    assets = {}
    for key in sorted(graph.get_all_asset_keys(), key=str):
        node = graph.get(key)
        assets[key.to_user_string()] = {
            "deps": sorted(parent.to_user_string() for parent in node.parent_keys),
            "group": node.group_name,
            "kinds": sorted(node.kinds),
            "owners": sorted(node.owners),
            "tags": {
                name: value for name, value in sorted(node.tags.items()) if "kind" not in name
            },
            "partitions": getattr(node.partitions_def, "name", None),
            "described": bool(node.description),
            "code": "dagster/code_references" in node.metadata,
            "checks": sorted(check.name for check in node.check_keys),
        }
    repository = defs.get_repository_def()
    return {
        "automation": described_automation(),
        "assets": assets,
        "jobs": {
            job.name: sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
            for job in repository.get_all_jobs()
            if not job.name.startswith("__")
        },
        "sensors": {
            sensor.name: {
                "interval": sensor.minimum_interval_seconds,
                "running": sensor.default_status.value == "RUNNING",
            }
            for sensor in repository.sensor_defs
        },
        "schedules": {
            schedule.name: {
                "cron": schedule.cron_schedule,
                "timezone": schedule.execution_timezone,
                "job": schedule.job_name,
                "running": schedule.default_status.value == "RUNNING",
            }
            for schedule in repository.schedule_defs
        },
    }


def described_automation() -> dict[str, Any]:
    """What the second location has when there are no jobs: the tick's ops, and the dispatcher."""
    repository = definitions_of(
        Loaded((), "fingerprint"), datetime(2026, 1, 1, tzinfo=UTC)
    ).get_repository_def()
    return {
        "jobs": {
            job.name: [node.name for node in job.graph.nodes_in_topological_order]
            for job in repository.get_all_jobs()
            if not job.name.startswith("__")
        },
        "sensors": {
            sensor.name: {
                "interval": sensor.minimum_interval_seconds,
                "running": sensor.default_status.value == "RUNNING",
                "job": sensor.job_name,
            }
            for sensor in repository.sensor_defs
        },
        "schedules": [schedule.name for schedule in repository.schedule_defs],
    }


def test_the_asset_graph_is_the_one_we_know() -> None:
    assert described() == json.loads(SNAPSHOT.read_text())


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(described(), indent=2) + "\n")
