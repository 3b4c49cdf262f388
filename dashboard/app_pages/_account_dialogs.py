"""Dialogs of the connections: a new account, its key or name, and the end of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx
import streamlit as st

from dashboard.app_pages._asks import keyed
from dashboard.live import dialog
from dashboard.messages import say_later
from dashboard.owners import Owner
from dashboard.session import Me
from dashboard.texts import mark, t
from dashboard.words import html, plain
from leap_pipeline.domain.credentials import CredentialPlatform
from leap_pipeline.errors import InputError
from leap_pipeline.services.credential_rows import CredentialView
from leap_pipeline.services.credentials import Credentials
from leap_pipeline.services.oauth_connect import Connections, Disconnected, Visitor
from leap_pipeline.services.oauth_platforms import Login, OAuthPlatforms
from leap_pipeline.web.calls import TIMEOUT

ZOOM, YOUTUBE, VK = CredentialPlatform.ZOOM, CredentialPlatform.YOUTUBE, CredentialPlatform.VK
PLATFORMS = (ZOOM, YOUTUBE, VK, CredentialPlatform.FIREWORKS, CredentialPlatform.DEEPSEEK)
NAMES: Mapping[str, str] = {
    ZOOM: "Zoom",
    YOUTUBE: "YouTube",
    VK: "VK",
    CredentialPlatform.FIREWORKS: "Fireworks",
    CredentialPlatform.DEEPSEEK: "DeepSeek",
}
# How long a platform is waited for that shall end a grant.
PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True)
class Entry:
    """A field of a document that is typed in; of a secret nothing is ever shown."""

    name: str
    label: str
    secret: bool = False
    optional: bool = False


FORMS: Mapping[str, tuple[Entry, ...]] = {
    ZOOM: (
        Entry("account_id", mark("Account ID")),
        Entry("client_id", mark("Client ID")),
        Entry("client_secret", mark("Client secret"), secret=True),
        Entry("host", mark("Only this person's recordings (e-mail address)"), optional=True),
        Entry("webhook_secret", mark("Secret token of its webhooks"), secret=True, optional=True),
    ),
    CredentialPlatform.FIREWORKS: (
        Entry("api_key", mark("API key"), secret=True),
        Entry("account_id", mark("Account ID"), optional=True),
    ),
    CredentialPlatform.DEEPSEEK: (Entry("api_key", mark("API key"), secret=True),),
}
# By the keys of an account's document: how its owner connects it again.
LOGINS: Mapping[str, tuple[Login, ...]] = {
    ZOOM: (Login.ZOOM,),
    YOUTUBE: (Login.YOUTUBE,),
    VK: (Login.VK_ID, Login.VK_IMPLICIT),
}
LOGIN_LABELS: Mapping[Login, str] = {
    Login.ZOOM: mark("Log in at Zoom"),
    Login.YOUTUBE: mark("Log in at Google"),
    Login.VK_ID: mark("Log in with VK ID"),
    Login.VK_IMPLICIT: mark("Use a token of VK"),
}


def platform_name(platform: str) -> str:
    return NAMES.get(platform, platform)


def login_of(view: CredentialView) -> Login | None:
    """Where its owner logs in to connect it again; None for what is typed in."""
    details = view.details or {}
    if view.platform == ZOOM:
        return None if "account_id" in details or not details else Login.ZOOM
    if view.platform == VK:
        renewable = "refresh_token" in details or "device_id" in details
        return Login.VK_ID if renewable else Login.VK_IMPLICIT
    return Login.YOUTUBE if view.platform == YOUTUBE else None


def link(label: str, address: str) -> None:
    """A button that leads to another page of ours, in this tab."""
    style = (
        "display:inline-block;padding:.5rem .75rem;border:1px solid rgba(128,128,128,.4);"
        "border-radius:.5rem;font-size:.875rem;color:inherit;text-decoration:none"
    )
    st.html(f'<a href="{html(address)}" style="{style}">{html(label)}</a>', width="content")


@dialog(lambda: t("Connect an account"))
def _connect(me: Me, owner: Owner, platform: str) -> None:
    if platform in LOGINS:
        _logins(me, owner, platform)
    if platform not in FORMS:
        return
    if platform == ZOOM:
        st.markdown(t("Or the Server-to-Server app of a whole Zoom account:"))
    with st.form(keyed("account")):
        name = st.text_input(t("What to call it (optional)"), key=keyed("new_name"), max_chars=255)
        said = _typed(FORMS[platform], {}, keeps=False)
        sent = st.form_submit_button(t("Connect"), type="primary")
    if not sent:
        return
    with me.tenant(owner.id) as session:
        store = Credentials(session, owner.id, me.console.vault)
        document = {name: text for name, text in said.items() if text is not None}
        view = store.create(platform, document, me.editor, account_name=name or None)
    _done(t("“{name}” is connected.", name=view.account_name or ""))


def _logins(me: Me, owner: Owner, platform: str) -> None:
    if owner.id != me.user_id:
        st.info(t("Only {email} can log in there.", email=plain(owner.email)))
        return
    with st.container(horizontal=True):
        for login in LOGINS[platform]:
            link(t(LOGIN_LABELS[login]), f"/connect/{login}")


@dialog(lambda: t("Enter it anew"))
def _enter(me: Me, owner: Owner, credential_id: int) -> None:
    view = _view(me, owner, credential_id)
    st.caption(plain(view.title))
    entries = FORMS.get(view.platform)
    if entries is None:
        msg = "This account is connected by logging in: choose “Connect again”."
        raise InputError(msg)
    with st.form(keyed("account")):
        said = _typed(entries, view.details or {}, keeps=view.details is not None)
        sent = st.form_submit_button(t("Save"), type="primary")
    if not sent:
        return
    with me.tenant(owner.id) as session:
        store = Credentials(session, owner.id, me.console.vault)
        store.amend(credential_id, me.editor, said)
    _done(t("“{name}” is saved and switched on.", name=view.account_name or ""))


def _typed(
    entries: tuple[Entry, ...], shown: Mapping[str, object], *, keeps: bool
) -> dict[str, str | None]:
    """What is in the fields. A secret that is left empty is kept, where there is one to keep."""
    found: dict[str, str | None] = {}
    for entry in entries:
        label = t("{label} (optional)", label=t(entry.label)) if entry.optional else t(entry.label)
        if entry.secret:
            kept = keeps and entry.name in shown
            text = st.text_input(
                label,
                type="password",
                key=keyed(f"entry_{entry.name}"),
                autocomplete="new-password",
                placeholder=t("Leave empty to keep the one that is stored") if kept else None,
            )
            if text or not kept:
                found[entry.name] = text or None
        else:
            text = st.text_input(
                label,
                value=str(shown.get(entry.name) or ""),
                key=keyed(f"entry_{entry.name}"),
                max_chars=512,
                autocomplete="off",
            )
            found[entry.name] = (text or "").strip() or None
    return found


@dialog(lambda: t("Rename"))
def _rename(me: Me, owner: Owner, credential_id: int) -> None:
    view = _view(me, owner, credential_id)
    with st.form(keyed("rename")):
        name = st.text_input(t("Name"), view.account_name or "", key=keyed("name"), max_chars=255)
        sent = st.form_submit_button(t("Save"), type="primary")
    if not sent:
        return
    with me.tenant(owner.id) as session:
        store = Credentials(session, owner.id, me.console.vault)
        store.update(credential_id, me.editor, account_name=name or "")
    _done(t("It is called “{name}” now.", name=(name or "").strip()))


@dialog(lambda: t("Disconnect"))
def _disconnect(me: Me, owner: Owner, credential_id: int) -> None:
    with me.tenant(owner.id) as session:
        store = Credentials(session, owner.id, me.console.vault)
        view, uses = store.view(credential_id), store.uses(credential_id)
    name = plain(view.account_name or "")
    st.markdown(
        t("Disconnect **{name}** of {platform}?", name=name, platform=platform_name(view.platform))
    )
    if uses.presets:
        names = ", ".join(f"“{plain(each)}”" for each in uses.presets)
        st.warning(t("These presets are deleted with it: {names}", names=names))
    if uses.sources:
        names = ", ".join(f"“{plain(each)}”" for each in uses.sources)
        st.warning(
            t("These sources stay without an account, and are not read: {names}", names=names)
        )
    force = login_of(view) is not None and st.checkbox(
        t("Also where its platform cannot be told"), key=keyed("force")
    )
    # What was shown is in the key: where it has changed since, nothing is pressed.
    key = keyed(f"disconnect_now_{hash(uses)}")
    if not st.button(t("Disconnect"), key=key, type="primary"):
        return
    with st.spinner(t("Telling the platform…")), httpx.Client(timeout=TIMEOUT) as http:
        platforms = OAuthPlatforms(http, me.console.settings, patience=PATIENCE)
        connections = Connections(
            me.console.database, me.console.vault, platforms, me.console.settings.public_url
        )
        visitor = Visitor(owner.id, me.rights, me.who.family_id, me.actor)
        done = connections.disconnect(visitor, credential_id, force=force, expected=uses)
    _done(_told(done))


def _told(done: Disconnected) -> str:
    name, platform = done.account.account_name or "", platform_name(done.account.platform)
    if done.ended:
        return t("“{name}” is gone, and {platform} ended its grant.", name=name, platform=platform)
    return t(
        "“{name}” is gone. At {platform} nothing changed: end what was granted in its settings.",
        name=name,
        platform=platform,
    )


def _view(me: Me, owner: Owner, credential_id: int) -> CredentialView:
    with me.tenant(owner.id) as session:
        return Credentials(session, owner.id, me.console.vault).view(credential_id)


def _done(text: str) -> None:
    say_later(text)
    st.rerun()


DIALOGS: Mapping[str, Callable[..., None]] = {
    "connect": _connect,
    "enter": _enter,
    "rename": _rename,
    "disconnect": _disconnect,
}
