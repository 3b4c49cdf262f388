"""Runs that a data engineer starts in Dagster pass the same gate as LEAP's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.states import Phase
from leap_pipeline.orchestration.definitions import defs
from leap_pipeline.services.claim import claim
from leap_pipeline.services.ingest import Ingested, ingest_file
from leap_pipeline.services.summaries import Summary, summarize
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from leap_pipeline.storage.local import LocalStorage

Events = dg.ExecuteInProcessResult


class Engineer:
    """Selects assets of one recording in Dagster and materializes them."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        lecture: Path,
        instance: dg.DagsterInstance,
    ) -> None:
        self.database = database
        self.storage = LocalStorage(settings.storage)
        with database.system() as session:
            add_user(session, "lecturer@example.org")
        self.found: Ingested = ingest_file(
            database, self.storage, settings, lecture, email="lecturer@example.org"
        )
        self.instance = instance
        self.instance.add_dynamic_partitions("recordings", [self.found.partition])

    def materialize(
        self, *assets: str, job: str = "prepare", tags: dict[str, str] | None = None
    ) -> Events:
        return defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=self.found.partition,
            asset_selection=[dg.AssetKey(name) for name in assets] or None,
            tags=tags,
            raise_on_error=False,
        )

    def summary(self) -> Summary:
        with self.database.system() as session:
            return summarize(session, self.found.recording_id)


@pytest.fixture
def engineer(
    settings: Settings,
    database: Database,
    short_lecture: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Engineer]:
    monkeypatch.setenv("LEAP_HOME", str(settings.home))
    monkeypatch.setenv("LEAP_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("LEAP_STORAGE_ROOT", str(settings.storage))
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path / "dagster")) as instance:
        yield Engineer(settings, database, short_lecture, instance)


def _made(result: Events) -> dict[str, bool]:
    """The materialized assets, and whether each says that it is unchanged."""
    return {
        event.asset_key.to_user_string(): "unchanged" in event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def _reasons(result: Events) -> list[str]:
    return [
        str(event.asset_observation_data.asset_observation.metadata["left out"].value)
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.ASSET_OBSERVATION
    ]


def test_a_video_alone_then_all_then_a_forced_stage(engineer: Engineer) -> None:
    result = engineer.materialize("raw_video", "trimmed_video")
    assert result.success
    assert _made(result) == {"raw_video": False, "trimmed_video": False}
    assert engineer.summary().run_state == "done"
    assert engineer.summary().status == "DOWNLOADED"

    result = engineer.materialize()
    assert result.success
    unchanged = {name: name in ("raw_video", "trimmed_video") for name in _made(result)}
    assert _made(result) == unchanged
    assert len(unchanged) == 6
    assert engineer.summary().status == "PROCESSED"

    result = engineer.materialize(tags={"leap/force": "generate_subtitles"})
    assert [name for name, same in _made(result).items() if not same] == ["subtitles"]
    evaluations = result.get_asset_check_evaluations()
    assert evaluations
    assert all(each.passed for each in evaluations)


@pytest.mark.parametrize(("asset", "name"), [("youtube_upload", "YouTube"), ("vk_upload", "VK")])
def test_an_upload_without_a_preset_says_so(engineer: Engineer, asset: str, name: str) -> None:
    result = engineer.materialize(asset, job="publish")
    assert result.success
    assert _made(result) == {}
    assert _reasons(result) == [f"no {name} preset is configured for this recording"]
    assert engineer.summary().status == "INITIALIZED"


def test_who_comes_second_does_nothing_and_marks_nothing(engineer: Engineer) -> None:
    work = claim(
        engineer.database, engineer.storage, engineer.found.recording_id, phase=Phase.PREPARE
    )
    before = engineer.summary()
    result = engineer.materialize()
    assert result.success
    assert _made(result) == {}
    assert engineer.summary() == before
    work.close()


def test_a_forbidden_stage_is_left_out_with_its_reason(engineer: Engineer) -> None:
    with engineer.database.system() as session:
        connection = session.connection()
        connection.exec_driver_sql("UPDATE users SET can_process_video = false")
    result = engineer.materialize("raw_video", "trimmed_video")
    assert result.success
    assert _made(result) == {"raw_video": False}
    assert "can_process_video" in _reasons(result)[0]
    stages = {line.name: line for line in engineer.summary().stages}
    assert stages["TRIM"].status == "SKIPPED"


def test_a_run_that_the_plan_does_not_allow_fails_with_the_reason(engineer: Engineer) -> None:
    with engineer.database.system() as session:
        connection = session.connection()
        connection.exec_driver_sql(
            "UPDATE user_subscriptions SET custom_max_recordings_per_month = 0"
        )
    before = engineer.summary()
    result = engineer.materialize()
    assert not result.success
    failed = [event for event in result.all_events if event.is_step_failure]
    assert [event.step_key for event in failed] == ["raw_video"]
    assert "0 recordings a month are used up" in str(failed[0].step_failure_data)
    assert engineer.summary() == before
