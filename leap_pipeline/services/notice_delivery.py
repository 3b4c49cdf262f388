"""Sending what is due: a digest a channel, at least once, and never in anybody's way.

A channel is leased by moving its `next_at`: whoever is killed meanwhile loses nothing, its notices
are still due when the lease is over, and are sent again at worst. After a digest the channel rests
for a quarter of an hour, after a failure longer each time; what could not be sent for a day is
given up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.notices import Notice, NoticeChannel
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.notices import (
    EVERY,
    LEASE,
    STALE,
    Channel,
    NoticeKind,
    Sending,
    Told,
    document_of,
    pause,
    text_of,
    title_of,
)
from leap_pipeline.errors import TransientError
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.notice_channels import address_of
from leap_pipeline.services.notice_senders import Mailer, Poster, said

NOTHING = "nothing is due any more"
# A digest has so many notices at most; the others follow with the next one.
MOST = 5000
STATES: dict[Channel, InstrumentedAttribute[str | None]] = {
    Channel.MAIL: Notice.mail_state,
    Channel.WEBHOOK: Notice.webhook_state,
}
logger = logging.getLogger(__name__)


@dataclass
class Delivered:
    """One pass: the channels (by id) to which a digest went, those that failed, and notices
    that were given up.
    """

    sent: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    given_up: int = 0


class Delivery:
    """Sends what is due. Safe to run many times at once."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        poster: Poster,
        mailer: Mailer | None,
        console: str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`console` is LEAP's address for links; without a `mailer` nothing is mailed."""
        self._database = database
        self._vault = vault
        self._poster = poster
        self._mailer = mailer
        self._console = console.rstrip("/")
        self._clock = clock

    def has_due(self) -> bool:
        """Is there anything to do? One statement."""
        with self._database.system() as session:
            wanted = select(NoticeChannel.id).where(self._due(self._channels())).limit(1)
            return session.scalar(wanted) is not None or _old(session, self._clock()) is not None

    def run(self, deadline: float) -> Delivered:
        """Send until nothing is due or `deadline` (time.monotonic()) is over."""
        report = Delivered(given_up=self._give_up())
        channels, refused = self._channels(), 0
        while channels and time.monotonic() < deadline:
            claimed = self._claim(channels)
            if claimed is None:
                break
            error = self._send(claimed)
            if error is None:
                refused = 0 if claimed.channel == Channel.MAIL else refused
                report.sent.append(claimed.id)
                continue
            if error == NOTHING:
                continue
            report.failed[claimed.id] = error
            if claimed.channel == Channel.MAIL:
                refused += 1
            if refused == 2:  # one mailbox may refuse; twice, the server would fail the others too
                channels = [each for each in channels if each is not Channel.MAIL]
        return report

    def _channels(self) -> list[Channel]:
        return [each for each in Channel if each is not Channel.MAIL or self._mailer is not None]

    def _claim(self, channels: Collection[Channel]) -> Row[Any] | None:
        lease = self._clock() + LEASE
        first = (
            select(NoticeChannel.id)
            .where(self._due(channels))
            .order_by(NoticeChannel.next_at.nulls_first(), NoticeChannel.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        statement = (
            update(NoticeChannel)
            .where(NoticeChannel.id == first)
            .values(next_at=lease, attempts=NoticeChannel.attempts + 1)
            .returning(*NoticeChannel.__table__.columns)
        )
        with self._database.system() as session:
            return session.execute(statement).one_or_none()

    def _due(self, channels: Collection[Channel]) -> ColumnElement[bool]:
        """Channels with something to send, whose time has come, of users who may get it."""
        now = self._clock()
        waiting = or_(
            *(
                (NoticeChannel.channel == str(each))
                & exists().where(
                    Notice.user_id == NoticeChannel.user_id,
                    STATES[each] == str(Sending.DUE),
                    Notice.created_at > now - STALE,
                    # what waited when it was switched off is not sent when it is on again
                    Notice.created_at >= NoticeChannel.created_at,
                )
                for each in channels
            )
        )
        # A mail goes to an address only that its owner has confirmed.
        reached = exists().where(
            User.id == NoticeChannel.user_id,
            User.is_active,
            or_(NoticeChannel.channel != str(Channel.MAIL), User.is_verified),
        )
        rested = or_(NoticeChannel.next_at.is_(None), NoticeChannel.next_at <= now)
        return rested & waiting & reached

    def _send(self, claimed: Row[Any]) -> str | None:
        """Send a channel's digest; what went wrong, None where nothing did."""
        channel = Channel(claimed.channel)
        with self._database.system() as session:
            notices = self._notices(session, claimed, channel)
            email = session.scalar(select(User.email).where(User.id == claimed.user_id))
        if not notices or email is None:
            with self._database.system() as session:
                self._write(session, claimed, next_at=None, attempts=0)
            return NOTHING
        try:
            self._dispatch(channel, claimed, email, notices)
        except Exception as error:  # noqa: BLE001 - one channel's trouble is not the others'
            sentence = said(error)
            self._put_back(claimed, sentence)
            return sentence
        self._mark_sent(claimed, channel, [each.id for each in notices])
        return None

    def _dispatch(
        self, channel: Channel, claimed: Row[Any], email: str, notices: Sequence[Told]
    ) -> None:
        if channel is Channel.WEBHOOK:
            address = address_of(claimed.address, self._vault)
            self._poster.post(address, document_of(notices, self._console))
        elif self._mailer is None:
            msg = "There is no mail server any more."
            raise TransientError(msg)
        else:
            self._mailer.send(email, title_of(notices), text_of(notices, self._console))

    def _notices(self, session: Session, claimed: Row[Any], channel: Channel) -> list[Told]:
        rows = session.scalars(
            select(Notice)
            .where(
                Notice.user_id == claimed.user_id,
                STATES[channel] == str(Sending.DUE),
                Notice.created_at > self._clock() - STALE,
                Notice.created_at >= claimed.created_at,
            )
            .order_by(Notice.id.desc())
            .limit(MOST)
        )
        return [
            Told(
                row.id,
                NoticeKind(row.kind),
                row.subject,
                row.about,
                row.reason,
                row.recording_id,
                row.created_at,
            )
            for row in rows
        ]

    def _mark_sent(self, claimed: Row[Any], channel: Channel, ids: list[int]) -> None:
        """Marked even where the channel was changed meanwhile: they were sent."""
        now, state = self._clock(), STATES[channel]
        with self._database.system() as session:
            session.execute(
                update(Notice)
                .where(Notice.id.in_(ids))
                .values({state: str(Sending.SENT)})
                .execution_options(synchronize_session=False)
            )
            self._write(
                session, claimed, next_at=now + EVERY, attempts=0, last_error=None, sent_at=now
            )

    def _put_back(self, claimed: Row[Any], sentence: str) -> None:
        logger.warning("Notices of channel %s could not be sent: %s", claimed.id, sentence)
        due = self._clock() + pause(claimed.attempts)
        with self._database.system() as session:
            self._write(session, claimed, next_at=due, last_error=sentence)

    def _write(self, session: Session, claimed: Row[Any], **values: Any) -> None:
        """Unless its owner has changed the channel, or another worker has taken it, since."""
        mine = (NoticeChannel.id == claimed.id, NoticeChannel.next_at == claimed.next_at)
        session.execute(update(NoticeChannel).where(*mine).values(**values))

    def _give_up(self) -> int:
        given_up: set[int] = set()
        for state in STATES.values():
            statement = (
                update(Notice)
                .where(state == str(Sending.DUE), Notice.created_at <= self._clock() - STALE)
                .values({state: str(Sending.GIVEN_UP)})
                .returning(Notice.id)
                .execution_options(synchronize_session=False)
            )
            with self._database.system() as session:
                given_up |= set(session.scalars(statement))
        return len(given_up)


def _old(session: Session, now: datetime) -> int | None:
    due = or_(*(state == str(Sending.DUE) for state in STATES.values()))
    return session.scalar(select(Notice.id).where(due, Notice.created_at <= now - STALE).limit(1))
