"""Where a user wants notices: by mail to the own address, or to a webhook. Nowhere by default.

Within a tenant's transaction. A webhook's address is a secret, as chats' addresses carry their
token: it is encrypted, and nobody is shown more than its host again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import httpx
from sqlalchemy import case, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import SCOPE
from leap_pipeline.db.models.notices import NoticeChannel
from leap_pipeline.domain.notices import CHOSEN, Channel, NoticeKind
from leap_pipeline.domain.shapes.registry import validate_column
from leap_pipeline.errors import InputError, Undecryptable
from leap_pipeline.redaction import remember
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.credentials import keep_keys
from leap_pipeline.sources.http_file_network import is_public

LONGEST_ADDRESS = 2000
NO_ADDRESS = "Give the webhook's address: it begins with https://."


@dataclass(frozen=True)
class Chosen:
    """A channel as its user sees it; `host` of a webhook, and what came of it last."""

    channel: Channel
    kinds: tuple[NoticeKind, ...]
    host: str | None
    sent_at: datetime | None
    next_at: datetime | None
    last_error: str | None


def channels_of(session: Session, vault: Vault) -> dict[Channel, Chosen]:
    """The channels that the user has switched on."""
    rows = session.scalars(select(NoticeChannel).where(NoticeChannel.user_id == _owner(session)))
    return {Channel(row.channel): _chosen(row, vault) for row in rows}


def switch_off(session: Session, channel: Channel, actor: Actor) -> None:
    """Nothing is sent there any more, nor later what waited; the address is forgotten."""
    gone = session.scalars(
        delete(NoticeChannel)
        .where(NoticeChannel.user_id == _owner(session), NoticeChannel.channel == str(channel))
        .returning(NoticeChannel.id)
    ).all()
    if gone:
        _note(session, actor, channel, {"on": True}, {"on": False})


def switch_mail_on(session: Session, kinds: Collection[str], actor: Actor) -> None:
    """Mail to the user's own address, which must be verified before any is sent."""
    _switch_on(session, Channel.MAIL, kinds, actor)


def switch_webhook_on(
    session: Session,
    vault: Vault,
    kinds: Collection[str],
    actor: Actor,
    *,
    address: str = "",
    private_addresses: bool = False,
) -> None:
    """Posts to an https address; without one, the address that is stored stays.

    Raises `InputError` for an address that cannot be used, or where there is none.
    """
    if not address.strip():
        if _stored(session, Channel.WEBHOOK) is None:
            raise InputError(NO_ADDRESS)
        _switch_on(session, Channel.WEBHOOK, kinds, actor)
        return
    wanted = checked_address(address, private_addresses=private_addresses)
    remember(wanted)
    keep_keys(session)
    _switch_on(session, Channel.WEBHOOK, kinds, actor, vault.encrypt({"url": wanted}))


def checked_address(text: str, *, private_addresses: bool = False) -> str:
    """A webhook's address as it is stored. Raises `InputError`.

    Whether its name leads to a public address is looked at again whenever something is sent.
    """
    wanted = text.strip()
    try:
        url = httpx.URL(wanted)
    except (httpx.InvalidURL, ValueError):
        raise InputError(NO_ADDRESS) from None
    if url.scheme != "https" or not url.host or len(wanted) > LONGEST_ADDRESS:
        raise InputError(NO_ADDRESS)
    if url.userinfo:
        msg = "The webhook's address holds a user's name: leave out what stands before the @."
        raise InputError(msg)
    if not private_addresses and _is_inside(url.host):
        msg = f"The webhook's address {url.host} is in a private network: give a public one."
        raise InputError(msg)
    return wanted


def _is_inside(host: str) -> bool:
    try:
        return not is_public(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _switch_on(
    session: Session,
    channel: Channel,
    kinds: Collection[str],
    actor: Actor,
    address: str | None = None,
) -> None:
    wanted = [str(each) for each in CHOSEN if each in kinds]
    if not wanted:
        msg = "Choose what you want to hear of, or switch these notices off."
        raise InputError(msg)
    before = _stored(session, channel)
    validate_column("notice_channels", "kinds", wanted)
    values: dict[str, object] = {"kinds": wanted}
    if address is not None:  # what went wrong with another one says nothing of this one
        values |= {"address": address, "attempts": 0, "last_error": None}
    # The quarter of an hour holds for another address too, the pause after a failure does not.
    failed = NoticeChannel.last_error.is_not(None)
    rested: dict[str, object] = (
        {} if address is None else {"next_at": case((failed, None), else_=NoticeChannel.next_at)}
    )
    session.execute(
        insert(NoticeChannel)
        .values(user_id=_owner(session), channel=str(channel), **values)
        .on_conflict_do_update(constraint="uq_notice_channels_channel", set_=values | rested)
    )
    was = {"on": before is not None, "kinds": before.kinds if before is not None else []}
    now = {"on": True, "kinds": wanted} | ({"address": "replaced"} if address else {})
    _note(session, actor, channel, was, now)


def _stored(session: Session, channel: Channel) -> NoticeChannel | None:
    return session.scalars(
        select(NoticeChannel)
        .where(NoticeChannel.user_id == _owner(session), NoticeChannel.channel == str(channel))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def _chosen(row: NoticeChannel, vault: Vault) -> Chosen:
    return Chosen(
        Channel(row.channel),
        tuple(each for each in CHOSEN if each in row.kinds),
        _host(row.address, vault),
        row.sent_at,
        row.next_at,
        row.last_error,
    )


def address_of(token: str, vault: Vault) -> str:
    """The stored webhook's address. Raises `Undecryptable`."""
    found = str(vault.decrypt(token)["url"])
    remember(found)
    return found


def _host(token: str | None, vault: Vault) -> str | None:
    if token is None:
        return None
    try:
        return httpx.URL(address_of(token, vault)).host
    except Undecryptable:
        return None


def _note(session: Session, actor: Actor, channel: Channel, before: object, after: object) -> None:
    owner = _owner(session)
    record(
        session,
        actor,
        "user.set_notices",
        "user",
        owner,
        owner_id=owner,
        before={str(channel): before},
        after={str(channel): after},
    )


def _owner(session: Session) -> str:
    owner: str = session.info[SCOPE]
    return owner
