"""Accounts at the platforms: how each is, what uses it, and connecting it again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import streamlit as st

from dashboard.app_pages._account_dialogs import (
    DIALOGS,
    FORMS,
    PLATFORMS,
    link,
    login_of,
    platform_name,
)
from dashboard.app_pages._asks import ask, open_asked
from dashboard.live import live
from dashboard.messages import act, say_later
from dashboard.owners import Owner, choose_owner, owner_of
from dashboard.session import Me
from dashboard.texts import ago, mark, t, when
from dashboard.words import plain
from leap_pipeline.domain.account_health import Health
from leap_pipeline.domain.permissions import Permission, require
from leap_pipeline.services.accounts import Account, accounts_of
from leap_pipeline.services.credentials import Credentials

PAGE = "connections"
REFRESH_SECONDS = 10
BADGES: dict[Health, tuple[str, Literal["green", "orange", "red", "gray"]]] = {
    Health.ACTIVE: (mark("Works"), "green"),
    Health.EXPIRES_SOON: (mark("Expires soon"), "orange"),
    Health.EXPIRED: (mark("Expired"), "red"),
    Health.REFUSED: (mark("Connect again"), "red"),
    Health.OFF: (mark("Switched off"), "gray"),
    Health.UNREADABLE: (mark("Cannot be read"), "red"),
}


def show(me: Me) -> None:
    owner = owner_of(me)
    st.title(t("Connections"))
    choose_owner(me, owner, PAGE)
    st.caption(t("Accounts from which recordings come, and to which videos go."))
    _connect_buttons()
    _list(owner)
    open_asked(PAGE, DIALOGS, owner)


def _connect_buttons() -> None:
    row = st.container(horizontal=True)
    for platform in PLATFORMS:
        label = t("Connect {platform}", platform=platform_name(platform))
        if row.button(label, key=f"connect_{platform}"):
            ask(PAGE, "connect", platform=platform)


@live(REFRESH_SECONDS)
def _list(me: Me, owner: Owner) -> None:
    console = me.console
    # Asked anew at each rerun: rights may have been taken since the page was opened.
    require(me.rights, Permission.MANAGE_CREDENTIALS)
    with me.tenant(owner.id):
        pass
    accounts = accounts_of(console.database, console.vault, owner.id, datetime.now(UTC))
    if not accounts:
        st.info(
            t(
                "No account is connected yet. Connect Zoom to get recordings, and YouTube or VK to"
                " publish them."
            )
        )
    for account in accounts:
        with st.container(border=True):
            _card(me, owner, account)


def _card(me: Me, owner: Owner, account: Account) -> None:
    view = account.view
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(view.account_name or t('Without a name'))}**", width="content")
        st.badge(platform_name(view.platform), color="blue")
        label, color = BADGES[account.health]
        st.badge(t(label), color=color)
    _facts(account)
    _buttons(me, owner, account)


def _facts(account: Account) -> None:
    view = account.view
    if account.refusal is not None:
        st.error(
            t(
                "{platform} refused it {ago}: {reason}",
                platform=platform_name(view.platform),
                ago=ago(account.refusal.at),
                reason=plain(account.refusal.reason),
            )
        )
    elif account.health is Health.UNREADABLE:
        st.error(t("No key of this installation opens it: enter it anew, or connect it again."))
    elif account.health is Health.EXPIRED:
        said = {"at": when(account.ends_at), "ago": ago(account.ends_at)}
        st.error(t("It ended at {at} ({ago}) and cannot renew itself: connect it again.", **said))
    elif account.health is Health.EXPIRES_SOON:
        said = {"at": when(account.ends_at), "ago": ago(account.ends_at)}
        st.warning(t("It ends at {at} ({ago}) and cannot renew itself: connect it again.", **said))
    lines = [
        t("Connected {at}", at=when(view.created_at)),
        t("last used {ago}", ago=ago(view.last_used_at)) if view.last_used_at else t("never used"),
    ]
    if account.ends_at is not None and account.health is Health.ACTIVE:
        lines.append(t("ends {at}", at=when(account.ends_at)))
    lines += [plain(each) for each in _details(account)]
    st.caption(" · ".join(lines))
    st.caption(_uses(account))


def _details(account: Account) -> list[str]:
    """What the account says of itself, and no secret."""
    found = account.view.details or {}
    return [
        str(found[name])
        for name in ("host", "account_id", "channel_id", "user_id")
        if found.get(name) and str(found[name]) != account.view.account_name
    ]


def _uses(account: Account) -> str:
    parts = []
    if account.uses.presets:
        names = ", ".join(f"“{plain(each)}”" for each in account.uses.presets)
        parts.append(t("Presets: {names}", names=names))
    if account.uses.sources:
        names = ", ".join(f"“{plain(each)}”" for each in account.uses.sources)
        parts.append(t("Sources: {names}", names=names))
    return " · ".join(parts) or t("Nothing uses it.")


def _buttons(me: Me, owner: Owner, account: Account) -> None:
    view = account.view
    number = view.id
    with st.container(horizontal=True, vertical_alignment="center"):
        if view.platform in FORMS and login_of(view) is None:
            if st.button(t("Enter it anew"), key=f"enter_{number}"):
                ask(PAGE, "enter", credential_id=number)
        elif owner.id == me.user_id:
            link(t("Connect again"), f"/connect/{login_of(view)}?credential={number}")
        if st.button(t("Rename"), key=f"rename_{number}", type="tertiary"):
            ask(PAGE, "rename", credential_id=number)
        # The state is in the key: a second click, or one on an old page, undoes nothing.
        label = t("Switch off") if view.is_active else t("Switch on")
        if st.button(label, key=f"switch_{number}_{view.is_active}", type="tertiary"):
            act(lambda: _switch(me, owner, account))
        if st.button(t("Disconnect"), key=f"disconnect_{number}", type="tertiary"):
            ask(PAGE, "disconnect", credential_id=number)


def _switch(me: Me, owner: Owner, account: Account) -> None:
    with me.tenant(owner.id) as session:
        store = Credentials(session, owner.id, me.console.vault)
        view = store.switch(account.view.id, me.editor, active=not account.view.is_active)
    say_later(
        t("“{name}” is switched on.", name=view.account_name or "")
        if view.is_active
        else t("“{name}” is switched off: nothing uses it now.", name=view.account_name or "")
    )
    st.rerun(scope="app")
