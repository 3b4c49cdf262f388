"""The inbox: which sources an event concerns, what becomes of failures, what a kill leaves."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import WebhookEvent
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.models.users import User, UserCredential
from leap_pipeline.errors import (
    DataError,
    LeapError,
    MustWaitError,
    TransientError,
    UserActionError,
)
from leap_pipeline.services.retention import tidy
from leap_pipeline.services.webhook_inbox import ATTEMPTS, LEASE, Inbox
from leap_pipeline.services.webhooks import ZoomWebhooks
from leap_pipeline.settings import Settings
from tests.support.hooks import (
    ADA,
    GRANT,
    OWN_SECRET,
    S2S,
    USERS_SECRET,
    UUID,
    Hooks,
    completed,
    make_hooks,
    raw,
    signed,
)

WITH_SECRET = {**S2S, "webhook_secret": USERS_SECRET}
BOB = "bob@example.edu"


class Reader:
    """Reads meetings as told: notes each, and fails where it was said to."""

    def __init__(self) -> None:
        self.read: list[tuple[int, str]] = []
        self.fails: dict[int, Exception] = {}
        self.guard = threading.Lock()

    def __call__(self, source_id: int, meeting: str) -> list[str]:
        with self.guard:
            self.read.append((source_id, meeting))
        if source_id in self.fails:
            raise self.fails[source_id]
        return []


class Clock:
    """Ahead of the database's, so that what was just delivered is due."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(hours=1)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inbox(hooks: Hooks, reader: Reader, clock: Clock) -> Inbox:
    return Inbox(hooks.database, hooks.vault, reader, clock=clock)


def deliver(hooks: Hooks, body: dict[str, Any], credential_id: int | None = None) -> None:
    secret = OWN_SECRET if credential_id is None else USERS_SECRET
    headers = signed(secret, raw(body))
    served = ZoomWebhooks(hooks.database, hooks.vault, hooks.settings)
    timestamp, signature = headers["x-zm-request-timestamp"], headers["x-zm-signature"]
    assert served.receive(credential_id, timestamp, signature, raw(body)).status == 200


def about(**changes: Any) -> dict[str, Any]:
    """An event about a meeting that differs in these particulars of its object."""
    made = completed()
    payload = made["payload"]
    return made | {"payload": {**payload, "object": {**payload["object"], **changes}}}


def drain(inbox: Inbox) -> Any:
    return inbox.drain(time.monotonic() + 20)


def only(hooks: Hooks) -> WebhookEvent:
    (found,) = hooks.events()
    return found


def test_an_event_of_a_users_app_concerns_the_sources_of_that_credential(
    hooks: Hooks, inbox: Inbox, reader: Reader
) -> None:
    user = hooks.user()
    mine, other = hooks.credential(user, WITH_SECRET), hooks.credential(user, WITH_SECRET)
    first, second = hooks.source(user, mine), hooks.source(user, mine)
    hooks.source(user, other)
    hooks.source(user, mine, is_active=False)
    deliver(hooks, completed(), mine)
    report = drain(inbox)
    assert reader.read == [(first, UUID), (second, UUID)]
    assert report.done == [only(hooks).id]
    assert only(hooks).finished_at is not None
    assert only(hooks).error is None
    assert not inbox.has_due()


def test_an_event_of_leaps_own_app_concerns_every_tenant_with_that_account(
    hooks: Hooks, inbox: Inbox, reader: Reader
) -> None:
    ada, bob, eve = hooks.user(), hooks.user(), hooks.user()
    whole = hooks.source(ada, hooks.credential(ada))
    same = hooks.source(bob, hooks.credential(bob, {**S2S, "host": ADA}))
    person = hooks.source(eve, hooks.credential(eve, {**GRANT, "host": ADA.upper()}))
    by_id = hooks.source(eve, hooks.credential(eve), config={"user_id": "host-1"})
    hooks.source(eve, hooks.credential(eve, {**S2S, "account_id": "acc-2"}))
    hooks.source(eve, hooks.credential(eve, {**S2S, "host": BOB}))
    hooks.source(eve, hooks.credential(eve), config={"user_id": BOB})
    hooks.source(eve, hooks.credential(eve, GRANT))
    hooks.source(eve, None)
    hooks.source(eve, hooks.credential(eve), source_type="LOCAL_FILE")
    away = hooks.user()
    hooks.source(away, hooks.credential(away))
    with hooks.database.system() as session:
        session.execute(update(User).where(User.id == away).values(is_active=False))
    deliver(hooks, completed())
    drain(inbox)
    assert reader.read == [(each, UUID) for each in (whole, same, person, by_id)]


def test_who_cannot_be_told_from_the_event_is_polled_soon(
    hooks: Hooks, inbox: Inbox, reader: Reader, clock: Clock
) -> None:
    user = hooks.user()
    number = hooks.credential(user, {**WITH_SECRET, "host": ADA})
    source = hooks.source(user, number)
    nameless = hooks.credential(user, {**GRANT, "webhook_secret": USERS_SECRET})
    theirs = hooks.source(user, nameless)
    assert not hooks.is_due_for_polling(source, clock.now)
    deliver(hooks, about(host_email=None), number)
    deliver(hooks, completed(), nameless)
    drain(inbox)
    assert reader.read == []
    assert hooks.is_due_for_polling(source, clock.now)
    assert hooks.is_due_for_polling(theirs, clock.now)


def test_before_the_day_from_which_a_source_is_read_nothing_concerns_it(
    hooks: Hooks, inbox: Inbox, reader: Reader
) -> None:
    user = hooks.user()
    number = hooks.credential(user)
    later, sooner, odd = (
        hooks.source(user, number, config={"sync_from_date": day})
        for day in ("2025-01-01T00:00:01Z", "2025-01-01T00:00:00+00:00", "soon")
    )
    deliver(hooks, completed())
    drain(inbox)
    assert [source for source, _ in reader.read] == [sooner, odd]
    assert later


def test_an_account_that_nobody_reads_is_said_and_done(hooks: Hooks, inbox: Inbox) -> None:
    user = hooks.user()
    number = hooks.credential(user, WITH_SECRET)
    hooks.source(user, number)
    foreign = completed()
    foreign["payload"] = {**foreign["payload"], "account_id": "acc-9"}
    deliver(hooks, foreign)
    deliver(hooks, foreign, number)
    assert len(drain(inbox).done) == 2
    assert {each.error for each in hooks.events()} == {"No source reads this account."}


def test_what_fails_is_tried_eight_times_and_then_left_to_polling(
    hooks: Hooks, inbox: Inbox, reader: Reader, clock: Clock
) -> None:
    user = hooks.user()
    broken, sound = (hooks.source(user, hooks.credential(user)) for _ in range(2))
    reader.fails[broken] = DataError("Zoom has no such recording, look?token=canary-1234 again.")
    deliver(hooks, completed())
    pauses = []
    for attempt in range(1, ATTEMPTS):
        assert drain(inbox).again == [only(hooks).id]
        assert only(hooks).attempts == attempt
        pauses.append((only(hooks).due_at - clock.now).total_seconds())
        clock.now = only(hooks).due_at - timedelta(seconds=1)
        assert not inbox.has_due()
        assert drain(inbox).again == []
        clock.now += timedelta(seconds=2)
    assert pauses == [30, 60, 120, 240, 480, 960, 1920]
    assert not hooks.is_due_for_polling(broken, clock.now)
    assert drain(inbox).given_up == [only(hooks).id]
    assert only(hooks).finished_at == clock.now
    assert f"source {broken}: Zoom has no such recording" in (only(hooks).error or "")
    assert "canary" not in (only(hooks).error or "")
    with hooks.database.system() as session:
        columns = select(InputSource.id, InputSource.next_poll_at)
        due = {row.id: row.next_poll_at for row in session.execute(columns)}
    assert due[broken] == clock.now
    assert due[sound] != clock.now
    assert [source for source, _ in reader.read].count(sound) == ATTEMPTS


def test_a_quota_is_waited_for(hooks: Hooks, inbox: Inbox, reader: Reader, clock: Clock) -> None:
    user = hooks.user()
    source = hooks.source(user, hooks.credential(user))
    due_at = (clock.now + timedelta(hours=9)).replace(microsecond=0)
    reader.fails[source] = MustWaitError("Zoom's daily limit is reached.", due_at)
    deliver(hooks, completed())
    drain(inbox)
    assert only(hooks).due_at == due_at


def test_what_a_person_must_mend_is_not_tried_again(
    hooks: Hooks, inbox: Inbox, reader: Reader, clock: Clock
) -> None:
    user = hooks.user()
    source = hooks.source(user, hooks.credential(user))
    reader.fails[source] = UserActionError("Connect the account again.")
    deliver(hooks, completed())
    assert drain(inbox).given_up == [only(hooks).id]
    assert only(hooks).error == f"source {source}: Connect the account again."
    assert not hooks.is_due_for_polling(source, clock.now)


def test_a_broken_source_is_asked_once_a_pass_and_holds_up_nobody(
    hooks: Hooks, inbox: Inbox, reader: Reader
) -> None:
    user = hooks.user()
    numbers = [hooks.credential(user, WITH_SECRET) for _ in range(2)]
    broken, sound = (hooks.source(user, number) for number in numbers)
    reader.fails[broken] = TransientError("Zoom does not answer.")
    for number in range(12):
        deliver(hooks, about(uuid=f"meeting-{number}"), numbers[0])
    deliver(hooks, about(uuid="meeting-x"), numbers[1])
    report = drain(inbox)
    asked = [source for source, _ in reader.read]
    assert asked.count(broken) <= 4  # one for each worker that had begun
    assert asked.count(sound) == 1
    assert (len(report.again), len(report.done)) == (12, 1)


def test_an_error_that_nobody_foresaw_ends_no_other_event(
    hooks: Hooks, inbox: Inbox, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    user = hooks.user()
    numbers = [hooks.credential(user, WITH_SECRET) for _ in range(2)]
    broken, sound = (hooks.source(user, number) for number in numbers)
    reader.fails[broken] = ZeroDivisionError("by nothing")
    for number in numbers:
        deliver(hooks, completed(), number)
    report = drain(inbox)
    assert (len(report.again), len(report.done)) == (1, 1)
    assert (sound, UUID) in reader.read
    assert "Unexpected ZeroDivisionError" in (hooks.events()[0].error or "")
    assert "failed unexpectedly" in caplog.text


def test_many_drainers_read_each_event_once(hooks: Hooks, reader: Reader, clock: Clock) -> None:
    user = hooks.user()
    number = hooks.credential(user, WITH_SECRET)
    hooks.source(user, number)
    for each in range(30):
        deliver(hooks, about(uuid=f"meeting-{each}"), number)
    drainers = [Inbox(hooks.database, hooks.vault, reader, clock=clock) for _ in range(2)]
    threads = [threading.Thread(target=drain, args=(each,)) for each in drainers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(meeting for _, meeting in reader.read) == sorted(
        f"meeting-{each}" for each in range(30)
    )


def killed_while_reading(urls: Any, settings: Settings, begun: Any) -> None:
    database = Database(urls)
    vault = make_hooks(database, settings).vault

    def read(_source_id: int, _meeting: str) -> list[str]:
        begun.set()
        time.sleep(600)
        return []

    Inbox(database, vault, read).drain(time.monotonic() + 600)


def test_kill_9_in_the_middle_loses_nothing(
    hooks: Hooks, inbox: Inbox, reader: Reader, clock: Clock
) -> None:
    user = hooks.user()
    number = hooks.credential(user, WITH_SECRET)
    source = hooks.source(user, number)
    deliver(hooks, completed(), number)
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    worker = context.Process(
        target=killed_while_reading, args=(hooks.database.urls, hooks.settings, begun)
    )
    worker.start()
    assert begun.wait(60)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join(30)
    clock.now = datetime.now(UTC)
    assert drain(inbox).done == []  # nobody knows yet that it is dead
    assert reader.read == []
    clock.now = datetime.now(UTC) + LEASE
    assert drain(inbox).done == [only(hooks).id]
    assert reader.read == [(source, UUID)]


def test_an_event_whose_readers_all_die_ends_too(
    hooks: Hooks, inbox: Inbox, reader: Reader, clock: Clock
) -> None:
    user = hooks.user()
    source = hooks.source(user, hooks.credential(user))
    deliver(hooks, completed())
    with hooks.database.system() as session:
        session.execute(update(WebhookEvent).values(attempts=ATTEMPTS))
    assert drain(inbox).given_up == [only(hooks).id]
    assert reader.read == []
    assert hooks.is_due_for_polling(source, clock.now)


def test_who_lost_its_lease_writes_nothing(hooks: Hooks, clock: Clock) -> None:
    user = hooks.user()
    hooks.source(user, hooks.credential(user))
    deliver(hooks, completed())

    def read(_source_id: int, _meeting: str) -> list[str]:
        with hooks.database.system() as session:  # another took it over meanwhile
            session.execute(update(WebhookEvent).values(attempts=WebhookEvent.attempts + 1))
        return []

    drain(Inbox(hooks.database, hooks.vault, read, clock=clock))
    assert only(hooks).finished_at is None
    assert only(hooks).attempts == 2


def test_an_empty_inbox_costs_one_statement(hooks: Hooks, inbox: Inbox) -> None:
    said: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    engine = hooks.database._engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert not inbox.has_due()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len([each for each in said if "set_config" not in each]) == 1


def test_a_secret_of_a_credential_that_cannot_be_read_breaks_nothing(
    hooks: Hooks, inbox: Inbox, reader: Reader
) -> None:
    user = hooks.user()
    shut, sound = hooks.credential(user), hooks.credential(user)
    hooks.source(user, shut)
    source = hooks.source(user, sound)
    with hooks.database.system() as session:
        session.execute(
            update(UserCredential).where(UserCredential.id == shut).values(encrypted_data="gAAAA")
        )
    deliver(hooks, completed())
    drain(inbox)
    assert reader.read == [(source, UUID)]


def test_what_is_finished_goes_after_seven_days(hooks: Hooks, inbox: Inbox) -> None:
    ages: Sequence[timedelta | None] = (None, timedelta(days=6), timedelta(days=8))
    for number, age in enumerate(ages):
        deliver(hooks, about(uuid=f"meeting-{number}"))
        if age is not None:
            with hooks.database.system() as session:
                session.execute(
                    update(WebhookEvent)
                    .where(WebhookEvent.subject == f"meeting-{number}")
                    .values(finished_at=datetime.now(UTC) - age)
                )
    assert tidy(hooks.database)["webhooks"] == 1
    assert [each.subject for each in hooks.events()] == ["meeting-0", "meeting-1"]


def test_a_database_that_goes_away_ends_the_pass_quietly(
    hooks: Hooks, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    class Away(Database):
        def system(self) -> Any:
            msg = "The database is away."
            raise TransientError(msg)

    away = Away(hooks.database.urls)
    report = drain(Inbox(away, hooks.vault, Reader(), clock=clock))
    assert (report.done, report.again) == ([], [])
    assert "left for now" in caplog.text
    with pytest.raises(LeapError):
        Inbox(away, hooks.vault, Reader(), clock=clock).has_due()
