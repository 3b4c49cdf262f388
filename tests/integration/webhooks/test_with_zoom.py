"""From Zoom's event to the recording: the fake Zoom, its own signatures, the sensor, real rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import WebhookEvent
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.orchestration import inbox as sensor_module
from leap_pipeline.orchestration.inbox import webhook_inbox_sensor
from leap_pipeline.services.webhooks import ZoomWebhooks
from leap_pipeline.settings import Settings
from tests.support.hooks import OWN_SECRET, Hooks, make_hooks
from tests.support.zoom import webhooks as sender
from tests.support.zoom.clock import wall_clock
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.serve import serving


class Watched:
    """A fake Zoom with one host, whose account a user has connected, and the sensor."""

    def __init__(self, hooks: Hooks, zoom: FakeZoom, instance: dg.DagsterInstance) -> None:
        self.hooks, self.zoom, self.instance = hooks, zoom, instance
        account = zoom.add_account()
        self.host = zoom.owner(account)
        app = account.app
        document = {
            "account_id": account.id,
            "client_id": app.client_id,
            "client_secret": app.client_secret,
        }
        self.user = hooks.user()
        self.source = hooks.source(self.user, hooks.credential(self.user, document))
        self.served = ZoomWebhooks(hooks.database, hooks.vault, hooks.settings)

    def tell(self, event: dict[str, Any]) -> None:
        sent = sender.delivery(OWN_SECRET, event, datetime.now(UTC))
        told = {name.lower(): text for name, text in sent.headers.items()}
        answer = self.served.receive(
            None, told["x-zm-request-timestamp"], told["x-zm-signature"], sent.body
        )
        assert answer.status == 200

    def tick(self) -> Any:
        context = dg.build_sensor_context(instance=self.instance)
        return webhook_inbox_sensor.evaluate_tick(context)

    def recordings(self) -> list[Recording]:
        with self.hooks.database.system() as session:
            return list(session.scalars(select(Recording).order_by(Recording.id)))

    def make_due(self) -> None:
        with self.hooks.database.system() as session:
            session.execute(update(WebhookEvent).values(due_at=datetime.now(UTC)))


@pytest.fixture
def watched(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watched]:
    zoom = FakeZoom(wall_clock)
    with serving(zoom) as served, dg.instance_for_test() as instance:
        chosen = settings.model_copy(
            update={**served.settings(), "zoom_webhook_secret": SecretStr(OWN_SECRET)}
        )
        monkeypatch.setattr(sensor_module, "load_settings", lambda: chosen)
        yield Watched(make_hooks(database, chosen), zoom, instance)
        sensor_module.opened(chosen, resolve(chosen))[1].close()
        sensor_module.opened.cache_clear()


def test_an_event_becomes_a_recording_and_a_rename_its_new_name(watched: Watched) -> None:
    assert "No event waits" in str(watched.tick().skip_message)
    start = datetime.now(UTC) - timedelta(hours=3)
    meeting = watched.zoom.add_recording(
        watched.host, topic="Algebra", start=start, uuid=watched.zoom.uuid("slash")
    )
    watched.tell(sender.completed(watched.zoom, meeting))
    result = watched.tick()
    (found,) = watched.recordings()
    assert (found.display_name, found.user_id) == ("Algebra", watched.user)
    assert result.skip_message.startswith("read: events")
    (request,) = result.dynamic_partitions_requests
    assert request.partition_keys == [partition_key(1, found.id)]
    watched.zoom.rename(meeting, "Algebra II")
    watched.tell(sender.renamed(watched.zoom, meeting, "Algebra"))
    watched.tick()
    (found,) = watched.recordings()
    assert found.display_name == "Algebra II"
    assert all(event.finished_at and event.error is None for event in watched.hooks.events())


def test_a_new_name_makes_no_recording_of_what_was_never_taken(watched: Watched) -> None:
    """Else the names that a user tidies up in last year's recordings would publish them."""
    start = datetime.now(UTC) - timedelta(days=300)
    meeting = watched.zoom.add_recording(watched.host, topic="Old", start=start)
    watched.zoom.rename(meeting, "Tidied")
    watched.tell(sender.renamed(watched.zoom, meeting, "Old"))
    watched.tick()
    assert watched.recordings() == []
    (event,) = watched.hooks.events()
    assert event.finished_at is not None


def test_zoom_may_tell_of_a_recording_before_it_shows_it(watched: Watched) -> None:
    now = datetime.now(UTC)
    meeting = watched.zoom.add_recording(
        watched.host, start=now - timedelta(hours=3), details_at=now + timedelta(days=9)
    )
    watched.tell(sender.completed(watched.zoom, meeting))
    result = watched.tick()
    assert "to be tried again" in result.skip_message
    assert watched.recordings() == []
    meeting.details_at = now - timedelta(minutes=1)
    watched.make_due()
    watched.tick()
    assert len(watched.recordings()) == 1
    (event,) = watched.hooks.events()
    assert event.attempts == 2
    assert event.finished_at is not None
