"""What is stuck is found and named; what goes on, waits rightly or says itself why, is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.db.models.inbox import WebhookEvent
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.subscriptions import UserSubscription
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.planner import Asset
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.health import Health, look
from leap_pipeline.services.holds import hold
from tests.support.bench import Bench, die

NOW = datetime.now(UTC)
SOON, LATER = NOW + timedelta(minutes=1), NOW + timedelta(hours=3)


@pytest.fixture(autouse=True)
def fresh_clock() -> None:
    """A long suite imports a module many minutes before it runs its tests."""
    global NOW
    NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _nothing_from_before(bench: Bench) -> None:
    with bench.database.system() as session:
        session.execute(delete(WebhookEvent))


def seen(bench: Bench, now: datetime) -> Health:
    with bench.database.system() as session:
        return look(session, now)


def change(bench: Bench, model: type, **values: object) -> None:
    """Every row of the model."""
    with bench.database.system() as session:
        session.execute(update(model).values(**values))


def waiting(bench: Bench) -> None:
    work = bench.start(bench.recording())
    work.begin(Asset.RAW_VIDEO)
    work.wait_until(NOW, "the quota resets")
    work.close()


def dead(bench: Bench) -> None:
    work = bench.start(bench.recording())
    die(work)


def unlaunched(bench: Bench) -> None:
    bench.request(bench.recording())


def unbegun(bench: Bench) -> None:
    bench.request(bench.recording())
    bench.reconcile()


def awaited(bench: Bench) -> None:
    bench.recording(download_status="PENDING_SOURCE", created_at=NOW - timedelta(hours=24))


def unlooked(bench: Bench) -> None:
    bench.recording(next_look_at=NOW)


def failing(bench: Bench) -> None:
    bench.source()
    change(bench, InputSource, failures=4, next_poll_at=LATER)


def unpolled(bench: Bench) -> None:
    bench.source()
    change(bench, InputSource, next_poll_at=NOW)


def untaken(bench: Bench) -> None:
    with bench.database.system() as session:
        event = {"provider": "zoom", "event": "recording.completed", "digest": "0" * 64}
        session.add(WebhookEvent(**event, received_at=NOW, due_at=NOW))


def claimed(bench: Bench) -> None:
    with bench.database.system() as session:
        job = AutomationJob(
            user_id=bench.user_id,
            name="nightly",
            job_type="sync_and_process",
            schedule_type="interval",
            interval_every=6,
            interval_period="hours",
        )
        session.add(job)
        session.flush()
        session.add(
            AutomationFiring(user_id=bench.user_id, job_id=job.id, due_at=NOW, fired_by="sensor")
        )


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        (waiting, ["overdue"]),
        (dead, ["dead"]),
        (unlaunched, ["not launched"]),
        (unbegun, ["queue stands still"]),
        (awaited, ["source never ready"]),
        (unlooked, ["not looked at"]),
        (unpolled, ["sources not polled"]),
        (untaken, ["webhooks"]),
        (claimed, ["firings not begun"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_stuck_is_found_when_its_time_has_passed(
    bench: Bench, stage: Callable[[Bench], None], names: list[str]
) -> None:
    stage(bench)
    assert seen(bench, SOON).sound
    found = seen(bench, LATER)
    assert [each.name for each in found.findings] == names
    assert found.findings[0].count == 1
    assert found.findings[0].sentence.startswith("1 ")


def test_a_source_that_fails_over_and_over_is_found(bench: Bench) -> None:
    failing(bench)
    assert seen(bench, SOON).sound
    change(bench, InputSource, failures=5)
    assert [each.name for each in seen(bench, SOON).findings] == ["failing sources"]
    change(bench, InputSource, is_active=False)
    assert seen(bench, SOON).sound


def test_a_webhook_that_was_given_up_is_told_for_a_day(bench: Bench) -> None:
    untaken(bench)
    change(bench, WebhookEvent, finished_at=NOW, error="no such account")
    assert [each.name for each in seen(bench, SOON).findings] == ["webhooks"]
    assert seen(bench, NOW + timedelta(days=2)).sound
    change(bench, WebhookEvent, error=None)
    assert seen(bench, SOON).sound


def test_a_user_whose_limit_is_zero_or_who_has_one_running_is_not_stuck(bench: Bench) -> None:
    unlaunched(bench)
    work = bench.start(bench.recording())
    assert seen(bench, LATER).sound
    work.close()
    change(bench, UserSubscription, custom_max_concurrent_tasks=0)
    assert seen(bench, LATER).sound


def test_failed_recordings_and_holds_are_listed_and_are_not_stuck(bench: Bench) -> None:
    for _ in range(2):
        work = bench.start(bench.recording())
        begun = work.begin(Asset.RAW_VIDEO)
        work.fail(Asset.RAW_VIDEO, begun, "the file is a login page")
        work.close()
    held = bench.recording()
    with bench.database.system() as session:
        hold(session, held, HoldKind.APPROVAL, "the dean", actor=SYSTEM)
    found = seen(bench, LATER)
    assert found.sound
    assert found.failed == (("DOWNLOAD", "the file is a login page", 2),)
    assert found.holds == {"approval": 1}
    assert found.to_json()["failed"][0]["recordings"] == 2


def test_only_the_first_of_many_are_named(bench: Bench) -> None:
    for _ in range(7):
        unlaunched(bench)
    change(bench, RecordingRun, state="waiting", due_at=NOW)
    (found,) = seen(bench, LATER).findings
    assert found.count == 7
    assert found.sentence.endswith(" …")
