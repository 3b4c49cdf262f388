"""Notices on their way: to a real mail server and a real webhook, from a real database."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.notices import Notice, NoticeChannel
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.notices import EVERY, FIRST_PAUSE, LEASE, STALE, Channel
from leap_pipeline.domain.states import Stage, StageStatus
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services import notice_senders
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.moves import move_stage
from leap_pipeline.services.notice_channels import (
    Chosen,
    channels_of,
    checked_address,
    switch_mail_on,
    switch_off,
    switch_webhook_on,
)
from leap_pipeline.services.notice_delivery import Delivered, Delivery
from leap_pipeline.services.notice_senders import Mailer, Poster, mailer_of
from leap_pipeline.services.notices import tell_test
from leap_pipeline.services.projection import refresh_status
from leap_pipeline.services.users import set_active, set_verified
from leap_pipeline.settings import Settings
from tests.support.bench import Bench
from tests.support.mail_server import MailServer, mail_server
from tests.support.webhook_server import Webhook, webhook_server

ALL = ("ready", "failed", "held", "connect")
CONSOLE = "https://leap.example.org"
CANARY = "canary-token-0123456789"


@dataclass
class Post:
    """The bench's user with channels, two servers, and a clock that tests move."""

    bench: Bench
    vault: Vault
    mail: MailServer
    hook: Webhook
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def delivery(self) -> Delivery:
        return Delivery(
            self.bench.database,
            self.vault,
            Poster(private_addresses=True, tls=self.hook.tls),
            Mailer(self.mail.url),
            f"{CONSOLE}/",
            clock=lambda: self.now,
        )

    def run(self) -> Delivered:
        return self.delivery().run(time.monotonic() + 30)

    def choose(
        self, *, mail: bool = False, webhook: bool = False, kinds: Collection[str] = ALL
    ) -> None:
        with self.bench.database.tenant(self.bench.user_id) as session:
            if mail:
                switch_mail_on(session, kinds, SYSTEM)
            if webhook:
                given = {"address": self.hook.url, "private_addresses": True}
                switch_webhook_on(session, self.vault, kinds, SYSTEM, **given)  # type: ignore[arg-type]
        self.now = max(self.now, datetime.now(UTC))  # what was told before is not sent

    def notice(self, kind: str = "failed", number: int = 1) -> None:
        """As many notices, with the channels of now."""
        statement = """
            INSERT INTO notices
                (user_id, kind, fact, subject, about, reason, mail_state, webhook_state, created_at)
            SELECT u.id, :kind, gen_random_uuid(), 'Lecture ' || n, 'TRIM', 'no sound in it',
                (SELECT 'due' FROM notice_channels WHERE user_id = u.id AND channel = 'mail'),
                (SELECT 'due' FROM notice_channels WHERE user_id = u.id AND channel = 'webhook'),
                :now
            FROM users AS u, generate_series(1, :number) AS n WHERE u.id = :user_id
        """
        given = {"user_id": self.bench.user_id, "kind": kind, "number": number, "now": self.now}
        with self.bench.database.system() as session:
            session.execute(text(statement), given)

    def states(self, channel: Channel) -> list[str | None]:
        with self.bench.database.system() as session:
            column = Notice.mail_state if channel is Channel.MAIL else Notice.webhook_state
            return list(session.scalars(select(column).order_by(Notice.id)))

    def chosen(self) -> dict[Channel, Chosen]:
        with self.bench.database.tenant(self.bench.user_id) as session:
            return channels_of(session, self.vault)

    def email(self) -> str:
        with self.bench.database.system() as session:
            found = session.get(User, self.bench.user_id)
            assert found is not None
            return found.email

    def verify(self, *, verified: bool = True) -> None:
        with self.bench.database.system() as session:
            set_verified(session, self.bench.user_id, verified=verified, actor=SYSTEM)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[MailServer, Webhook]]:
    with mail_server() as mail, webhook_server() as hook:
        yield mail, hook


@pytest.fixture
def post(bench: Bench, servers: tuple[MailServer, Webhook], tmp_path: Path) -> Post:
    """Verified, with nothing switched on, before servers that take everything."""
    mail, hook = servers
    mail.mails, mail.refuse, mail.silent = [], None, False
    hook.posts, hook.answer, hook.headers, hook.drips = [], 204, {}, False
    with bench.database.system() as session:
        session.execute(text("DELETE FROM notices"))
    made = Post(bench, load_vault(Settings(home=tmp_path)), mail, hook)
    made.verify()
    return made


def test_nothing_is_sent_to_who_has_not_asked(post: Post) -> None:
    post.notice(number=3)
    assert not post.delivery().has_due()
    assert post.run() == Delivered()
    assert not post.mail.mails
    assert not post.hook.posts


def test_a_thousand_failures_are_one_mail_and_one_post_a_quarter(post: Post) -> None:
    post.choose(mail=True, webhook=True)
    post.notice(number=1000)
    post.notice("ready")
    assert post.delivery().has_due()
    assert len(post.run().sent) == 2
    (mail,) = post.mail.mails
    assert mail.to == (post.email(),)
    assert mail.message["Subject"] == "LEAP: 1000 failed, 1 published"
    assert mail.message.get_content_type() == "text/plain"
    assert "and 980 more" in mail.text
    assert f"{CONSOLE}/notices" in mail.text
    (document,) = post.hook.posts
    assert (document["total"], len(document["notices"])) == (1001, 100)
    assert document["notices"][0]["kind"] == "ready"
    assert set(post.states(Channel.MAIL)) == set(post.states(Channel.WEBHOOK)) == {"sent"}
    post.now += EVERY - timedelta(seconds=1)
    post.notice(number=2)
    assert not post.delivery().has_due()
    post.now += timedelta(seconds=1)
    assert len(post.run().sent) == 2
    assert post.mail.mails[1].message["Subject"] == "LEAP: 2 failed"
    assert post.run() == Delivered()


def test_hostile_names_stay_text(post: Post) -> None:
    post.choose(mail=True)
    with post.bench.database.system() as session:
        session.execute(
            text("""
                INSERT INTO notices (user_id, kind, fact, subject, reason, about, mail_state)
                VALUES (:user_id, 'failed', 'x', :name, CAST(:name AS VARCHAR), 'TRIM', 'due')
            """),
            {
                "user_id": post.bench.user_id,
                "name": "A\r\nBcc: eve@example.org\r\n\r\n.\r\n<script>alert(1)</script> :smile:",
            },
        )
    post.run()
    (mail,) = post.mail.mails
    assert "eve@example.org" not in mail.to
    assert mail.message["Bcc"] is None
    assert "<script>alert(1)</script> :smile:" in mail.text
    assert mail.message.get_content_type() == "text/plain"


def test_an_address_that_is_not_verified_or_switched_off_gets_no_mail(post: Post) -> None:
    post.choose(mail=True)
    post.verify(verified=False)
    post.notice()
    assert not post.delivery().has_due()
    post.verify()
    with post.bench.database.system() as session:
        set_active(session, post.bench.user_id, active=False, actor=SYSTEM)
    assert post.run() == Delivered()
    assert not post.mail.mails


def test_a_failure_rests_longer_each_time_says_why_and_is_given_up_after_a_day(post: Post) -> None:
    post.choose(mail=True)
    post.notice()
    post.mail.refuse = b"451 later"
    (sentence,) = post.run().failed.values()
    assert sentence == "The mail server did not take the mail: LEAP tries again."
    chosen = post.chosen()[Channel.MAIL]
    assert (chosen.last_error, chosen.next_at) == (sentence, post.now + FIRST_PAUSE)
    assert not post.delivery().has_due()
    post.now += FIRST_PAUSE
    post.run()
    assert post.chosen()[Channel.MAIL].next_at == post.now + 2 * FIRST_PAUSE
    post.mail.refuse = None
    post.now += 2 * FIRST_PAUSE
    assert post.run().sent
    assert post.chosen()[Channel.MAIL].last_error is None
    assert len(post.mail.mails) == 1
    post.mail.refuse = b"550 no"
    post.notice()
    post.now += STALE
    assert post.delivery().has_due()
    assert post.run() == Delivered(given_up=1)
    assert post.states(Channel.MAIL) == ["sent", "given_up"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (503, "answered 503: LEAP tries again."),
        (404, "answered 404: see whether its address is still right."),
        (302, "answered 302: see whether its address is still right."),
    ],
)
def test_a_webhook_that_refuses_says_so(post: Post, answer: int, said: str) -> None:
    post.choose(webhook=True)
    post.notice()
    post.hook.answer, post.hook.headers = answer, {"Location": post.hook.url}
    (sentence,) = post.run().failed.values()
    assert sentence == f"The webhook at 127.0.0.1 {said}"
    assert len(post.hook.posts) == 1  # a redirect is not followed
    assert post.states(Channel.WEBHOOK) == ["due"]


def test_a_server_that_drips_or_says_nothing_holds_up_nobody(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice_senders, "LONGEST_POST_SECONDS", 0.4)
    monkeypatch.setattr(notice_senders, "MAIL_SECONDS", 0.3)
    post.choose(mail=True, webhook=True)
    post.notice()
    post.hook.drips = post.mail.silent = True
    begun = time.monotonic()
    assert len(post.run().failed) == 2
    assert time.monotonic() - begun < 20  # of the 30 for which the hook would drip


def test_two_workers_send_once(post: Post) -> None:
    post.choose(webhook=True)
    post.notice(number=5)
    workers = [threading.Thread(target=post.run) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [each["total"] for each in post.hook.posts] == [5]


def test_who_dies_after_sending_sends_it_again_when_the_lease_is_over(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.choose(webhook=True)
    post.notice()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Delivery, "_mark_sent", killed)
        with pytest.raises(KeyboardInterrupt):
            post.run()
    assert not post.delivery().has_due()
    post.now += LEASE
    assert post.run().sent
    first, second = post.hook.posts
    assert first["notices"] == second["notices"]  # by their ids a receiver knows them again
    assert post.run() == Delivered()


def test_a_webhook_in_a_private_network_is_never_reached(post: Post) -> None:
    strict = Poster(tls=post.hook.tls)
    for address in (post.hook.url, "https://[::1]/x", "https://10.0.0.7/x", "https://localhost/x"):
        with pytest.raises(InputError, match="private network"):
            checked_address(address)
    found = [(2, 1, 6, "", ("127.0.0.1", post.hook.port))]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("socket.getaddrinfo", lambda *_, **__: found)
        with pytest.raises(UserActionError, match="private network"):
            strict.post(f"https://inner.example.org:{post.hook.port}/hook", {})
    assert not post.hook.posts


@pytest.mark.parametrize(
    "address",
    ["", "hook", "http://example.org/x", "https:///x", "https://" + "a" * 2000, "ftp://x.org"],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="begins with https"):
        checked_address(address)


def test_the_address_is_a_secret_and_what_a_person_chose_is_noted(post: Post) -> None:
    post.choose(webhook=True, kinds=("failed", "nonsense"))
    chosen = post.chosen()[Channel.WEBHOOK]
    assert ([str(each) for each in chosen.kinds], chosen.host) == (["failed"], "127.0.0.1")
    with post.bench.database.tenant(post.bench.user_id) as session:
        switch_webhook_on(session, post.vault, ("ready",), SYSTEM)
        with pytest.raises(InputError, match="Choose what you want"):
            switch_mail_on(session, (), SYSTEM)
    with post.bench.database.system() as session:
        (row,) = session.scalars(select(NoticeChannel)).all()
        noted = [
            (each.before, each.after)
            for each in session.scalars(select(AuditEntry))
            if each.action == "user.set_notices" and each.owner_id == post.bench.user_id
        ]
    assert CANARY not in f"{row.address}{noted}"
    assert len(noted) == 2
    with post.bench.database.tenant(post.bench.user_id) as session:
        switch_off(session, Channel.WEBHOOK, SYSTEM)
        with pytest.raises(InputError, match="begins with https"):
            switch_webhook_on(session, post.vault, ALL, SYSTEM)
    assert not post.chosen()


def test_what_a_person_did_not_choose_is_not_asked_for(post: Post) -> None:
    post.choose(mail=True, kinds=("ready",))
    post.choose(webhook=True, kinds=("failed",))
    recording = post.bench.recording(download_status="COMPLETED")
    with post.bench.database.tenant(post.bench.user_id) as session:
        move_stage(session, recording, Stage.TRIM, StageStatus.IN_PROGRESS)
        move_stage(session, recording, Stage.TRIM, StageStatus.FAILED, "x")
        refresh_status(session, recording)
        tell_test(session, post.now)
    assert post.states(Channel.MAIL) == [None, "due"]
    assert post.states(Channel.WEBHOOK) == ["due", "due"]


def test_a_mail_server_that_is_none_is_said_and_stops_nothing(tmp_path: Path) -> None:
    for url in ("smtp.example.org", "json://example.org", "mailto://"):
        with pytest.raises(InputError, match="LEAP_MAIL_URL"):
            Mailer(url)
        assert mailer_of(Settings(home=tmp_path, mail_url=url)) is None
    assert mailer_of(Settings(home=tmp_path)) is None


def test_off_and_on_again_sends_nothing_of_before_and_another_address_rests(post: Post) -> None:
    post.choose(webhook=True)
    post.notice()
    with post.bench.database.tenant(post.bench.user_id) as session:
        switch_off(session, Channel.WEBHOOK, SYSTEM)
    post.choose(webhook=True)
    assert not post.delivery().has_due()
    post.notice()
    assert len(post.run().sent) == 1
    assert post.states(Channel.WEBHOOK) == ["due", "sent"]
    post.choose(webhook=True)  # the address, given once more
    post.notice()
    assert post.run() == Delivered()
    post.now += EVERY
    assert len(post.run().sent) == 1
