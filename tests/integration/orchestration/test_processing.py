"""The sensor that looks at published videos, evaluated as Dagster's daemon does, and its checks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from sqlalchemy import update

from assets.partitions import recordings
from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.domain.planner import UPLOADS
from leap_pipeline.domain.processing import PROCESSED, RIGHT_DURATION
from leap_pipeline.domain.states import Platform
from leap_pipeline.orchestration.processing import make_sensor, processing_checks
from leap_pipeline.publishing.uploader import Processing
from leap_pipeline.security.vault import load_vault
from leap_pipeline.settings import Settings
from tests.support.bench import Bench
from tests.support.looked_at import Platforms
from tests.support.published import Shelf

NOTHING = "No published video is due."


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def shelf(bench: Bench, home: Settings) -> Shelf:
    return Shelf(bench, load_vault(home))


def tick(
    shelf: Shelf, platforms: Platforms, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult:
    sensor = make_sensor(lambda _: (shelf.bench.database, platforms.of))
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    for event in result.asset_events:
        instance.report_runless_asset_event(event)
    return result


def said(result: dg.SensorResult) -> str | None:
    assert isinstance(result.skip_reason, dg.SkipReason)
    return result.skip_reason.skip_message


def answers(instance: dg.DagsterInstance, asset: str) -> dict[str, tuple[bool, str | None]]:
    """Of each check of an asset: whether it passed, and for which partition."""
    keys = [dg.AssetCheckKey(dg.AssetKey(asset), name) for name in (PROCESSED, RIGHT_DURATION)]
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return {
        key.name: (record.status.value == "SUCCEEDED", record.partition)
        for key, record in found.items()
    }


def test_a_tick_answers_the_checks_once_and_only_of_what_is_settled(
    shelf: Shelf, instance: dg.DagsterInstance
) -> None:
    past, platforms = datetime.now(UTC) - timedelta(minutes=5), Platforms()
    youtube, vk = shelf.account(), shelf.account(Platform.VK)
    good = shelf.video(youtube, "good", past)
    wrong = shelf.video(vk, "wrong", past, platform=Platform.VK, owner_id=7)
    shelf.video(vk, "busy", past, platform=Platform.VK)
    platforms.answers |= {"wrong": Processing("processed", 60.0), "busy": Processing("processing")}
    result = tick(shelf, platforms, instance)
    partitions = {each: f"{shelf.bench.slug:06d}-{shelf.recording(each)}" for each in (good, wrong)}
    assert answers(instance, "youtube_upload") == {
        PROCESSED: (True, partitions[good]),
        RIGHT_DURATION: (True, partitions[good]),
    }
    assert answers(instance, "vk_upload") == {
        PROCESSED: (True, partitions[wrong]),
        RIGHT_DURATION: (False, partitions[wrong]),
    }
    assert said(result) == "looked at: 3; settled: 2"
    again = tick(shelf, platforms, instance, cursor=result.cursor)
    assert (list(again.asset_events), said(again)) == ([], NOTHING)
    assert shelf.upload(good).next_look_at is None
    assert platforms.asked.total() == 3


def test_answers_that_got_lost_are_given_again(shelf: Shelf, instance: dg.DagsterInstance) -> None:
    past, platforms = datetime.now(UTC) - timedelta(minutes=5), Platforms()
    target = shelf.video(shelf.account(), "abc", past)
    assert len(tick(shelf, platforms, instance).asset_events) == 2
    assert tick(shelf, platforms, instance).asset_events == []
    with shelf.bench.database.system() as session:
        session.execute(update(UploadSession).values(next_look_at=past))
    platforms.answers["abc"] = Processing("processed", 60.0)
    result = tick(shelf, platforms, instance)
    assert len(result.asset_events) == 2
    assert answers(instance, "youtube_upload") == {
        PROCESSED: (True, None),
        RIGHT_DURATION: (False, None),
    }
    tick(shelf, platforms, instance, cursor=result.cursor)
    assert shelf.upload(target).next_look_at is None


def test_a_person_may_ask_for_all_that_is_wrong(shelf: Shelf, instance: dg.DagsterInstance) -> None:
    past, platforms = datetime.now(UTC) - timedelta(minutes=5), Platforms()
    account = shelf.account()
    definitions = dg.Definitions(
        assets=[dg.AssetSpec(str(asset), partitions_def=recordings) for asset in UPLOADS.values()],
        asset_checks=processing_checks,
        jobs=[dg.define_asset_job("looks", selection=dg.AssetSelection.checks(*processing_checks))],
        executor=dg.in_process_executor,
    )

    def found() -> dict[tuple[str, str], tuple[bool, list[str]]]:
        done = definitions.resolve_job_def("looks").execute_in_process(instance=instance)
        return {
            (each.asset_key.to_user_string(), each.check_name): (
                each.passed,
                [str(value.value) for name, value in each.metadata.items() if "-" in name],
            )
            for each in done.get_asset_check_evaluations()
        }

    shelf.video(account, "good", past)
    tick(shelf, platforms, instance)
    assert list(found().values()) == [(True, [])] * 4
    shelf.video(account, "short", past)
    shelf.video(account, "failed", past)
    shelf.video(account, "busy", past)
    platforms.answers |= {
        "short": Processing("processed", 60.0),
        "failed": Processing("failed", None, "The codec is unknown."),
        "busy": Processing("processing"),
    }
    tick(shelf, platforms, instance)
    assert found() == {
        ("youtube_upload", PROCESSED): (False, ["The codec is unknown."]),
        ("youtube_upload", RIGHT_DURATION): (
            False,
            ["It plays 60 s there, and the file that was sent 90 s."],
        ),
        ("vk_upload", PROCESSED): (True, []),
        ("vk_upload", RIGHT_DURATION): (True, []),
    }
