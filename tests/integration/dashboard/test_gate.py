"""The gate: what answers without a login, with one, and with one that is no more."""

from __future__ import annotations

from datetime import timedelta
from typing import NoReturn

import pytest
from sqlalchemy import func, update

from dashboard.texts import translated
from leap_pipeline.db.models.users import RefreshToken
from leap_pipeline.errors import TransientError
from tests.support.accounts import ADA, PASSWORD
from tests.support.console import ORIGIN, Desk


def test_without_a_login_a_person_is_led_to_it(desk: Desk) -> None:
    answer = desk.client().get("/recording?id=7", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Frecording%3Fid%3D7"


def test_logging_in_gives_a_cookie_that_no_script_reads(desk: Desk) -> None:
    desk.add(ADA)
    client = desk.client()
    answer = client.post(
        "/login", data={"email": ADA, "password": PASSWORD, "next": "/recording?id=7"}
    )
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/recording?id=7"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_a_form_from_another_site_is_refused(desk: Desk) -> None:
    desk.add(ADA)
    answer = desk.client().post(
        "/login", data={"email": ADA, "password": PASSWORD}, headers={"Origin": "https://evil.test"}
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_every_answer_has_the_headers_that_protect_it(desk: Desk) -> None:
    for path in ("/login", "/nowhere", "/health/live", "/assets/page.css"):
        answer = desk.client().get(path)
        assert "script-src 'self' 'sha256-" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.request.headers["origin"] == ORIGIN


def test_an_old_token_that_comes_back_ends_the_whole_login(desk: Desk) -> None:
    desk.add(ADA)
    client, thief = desk.client(ADA), desk.client(ADA)
    page = {"Accept": "text/html"}
    assert "set-cookie" in client.get("/nothing", headers=page).headers
    with desk.database.system() as session:
        session.execute(
            update(RefreshToken)
            .where(RefreshToken.replaced_at.is_not(None))
            .values(replaced_at=func.now() - timedelta(minutes=5))
        )
    # Whoever of the two is the thief: both are out.
    assert thief.get("/nothing", headers=page).status_code == 303
    assert client.get("/nothing").status_code == 401


def test_a_token_reaches_the_browser_though_the_database_goes_away_behind_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rotated and not told, it would look stolen when the browser tries again with the old one."""
    desk.add(ADA)
    client = desk.client(ADA)

    def away(_family: str) -> NoReturn:
        msg = "The database is away."
        raise TransientError(msg)

    monkeypatch.setattr(desk.console.sessions, "check", away)
    answer = client.get("/nothing", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert answer.headers["set-cookie"].startswith("leap=")
    monkeypatch.undo()
    assert client.get("/nothing").status_code == 404


def test_a_refusal_is_in_the_language_of_the_browser(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add(ADA)
    russian = {"Accept-Language": "ru-RU,ru;q=0.9", "Accept": "text/html"}
    unread = {"content-type": "application/x-www-form-urlencoded"}
    shown = desk.client().post("/login", content=b"\xff=\xff", headers=russian | unread)
    unreadable = translated("The form cannot be read: load the page again.", "ru")
    assert (shown.status_code, unreadable in shown.text) == (400, True)

    def away(_token: str) -> NoReturn:
        msg = "The database is away."
        raise TransientError(msg)

    client = desk.client(ADA)
    monkeypatch.setattr(desk.console.sessions, "check_token", away)
    told = client.get("/nothing", headers={"Accept-Language": "ru"})
    sentence = "LEAP cannot look up who you are at the moment: it tries again by itself."
    assert (told.status_code, told.text) == (503, translated(sentence, "ru"))
    assert told.text != sentence
    monkeypatch.undo()
    monkeypatch.setattr(desk.console.sessions, "refresh", lambda *_: away(""))
    shown = client.get("/", headers=russian)
    assert (shown.status_code, 'lang="ru"' in shown.text) == (503, True)
    assert translated(sentence, "ru") in shown.text
