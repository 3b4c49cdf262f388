"""What everybody has for themselves: usage, settings, notices; and nothing of anybody else's."""

from __future__ import annotations

from sqlalchemy import select, text
from streamlit.testing.v1 import AppTest

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.notices import NoticeChannel
from leap_pipeline.services.preferences import own_of
from leap_pipeline.services.sessions import Sessions
from leap_pipeline.services.token_families import live_sessions
from tests.support.accounts import ADA, PASSWORD
from tests.support.console import Desk

BOB = "bob@example.org"
HOSTILE = "**Algebra** <img src=x onerror=alert(1)> [x](javascript:alert(1)) :material/home:"


def told(desk: Desk, owner: str, kind: str, number: int = 1, name: str = "Lecture") -> None:
    with desk.database.system() as session:
        session.execute(
            text("""
                INSERT INTO notices (user_id, kind, fact, subject, about, reason)
                SELECT :owner, :kind, gen_random_uuid(), CAST(:name AS VARCHAR), 'TRIM',
                    CAST(:name AS VARCHAR)
                FROM generate_series(1, :number)
            """),
            {"owner": owner, "kind": kind, "number": number, "name": name},
        )


def settings_of(desk: Desk, section: str) -> AppTest:
    page = desk.open(ADA, "my_settings", section=section)
    assert not page.exception, page.exception
    return page


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(each.value for each in (*page.markdown, *page.caption, *page.info))


def test_notices_are_grouped_read_and_nobody_elses(desk: Desk) -> None:
    ada, bob = desk.add(ADA), desk.add(BOB)
    told(desk, ada, "failed", 60)
    told(desk, ada, "ready", name=HOSTILE)
    told(desk, bob, "failed", name="Secret of Bob")
    assert desk.console.sessions.check(desk.login(ADA).family_id).unread == 61
    page = desk.open(ADA, "notices")
    said = shown(page)
    assert "60 recordings failed at the cut" in said
    assert "Bob" not in said
    assert any(each.value.startswith(r"\*\*Algebra\*\* \<img") for each in page.markdown)
    next(b for b in page.button if str(b.key).startswith("open:")).click()
    assert shown(page.run()).count("Failed at the cut") == 50
    page.button(key="read_all").click().run()
    left = [desk.console.sessions.check(desk.login(who).family_id).unread for who in (ADA, BOB)]
    assert left == [0, 1]


def test_usage_says_what_is_left(desk: Desk) -> None:
    desk.add(ADA)
    page = desk.open(ADA, "my_usage")
    assert "begin at 0 again on" in shown(page)
    assert page.subheader[0].value == "Plan Free"


def test_the_profile_is_changed_and_a_wrong_name_is_said(desk: Desk) -> None:
    ada = desk.add(ADA, name="Ada")
    page = settings_of(desk, "profile")
    page.text_input[0].set_value("Ada *L*")
    page.selectbox[0].set_value("Europe/Moscow")
    page.selectbox[1].set_value("ru")
    page.main.button[-1].click().run()
    who = desk.console.sessions.check(desk.login(ADA).family_id)
    assert (who.full_name, who.timezone, who.language) == ("Ada *L*", "Europe/Moscow", "ru")
    page.run()  # in Russian now
    page.text_input[0].set_value("A\x07")
    page.main.button[-1].click().run()
    assert "printable" in page.error[0].value
    with desk.database.system() as session:
        noted = session.scalars(select(AuditEntry.action).where(AuditEntry.owner_id == ada)).all()
    assert "user.update" in noted
    assert "user.set_preferences" in noted


def test_retention_is_kept(desk: Desk) -> None:
    ada = desk.add(ADA)
    page = settings_of(desk, "retention")
    page.number_input[0].set_value(90)
    page.number_input[1].set_value(7)
    page.main.button[-1].click().run()
    with desk.database.tenant(ada) as session:
        found = own_of(session).preferences.retention
    assert (found.expire_after_days, found.restore_days) == (90, 7)


def test_defaults_are_typed_and_judged_by_their_shape(desk: Desk) -> None:
    ada = desk.add(ADA)
    page = settings_of(desk, "defaults")
    key = next(each.key for each in page.number_input if str(each.key).endswith("video.padding"))
    page.number_input(key=str(key)).set_value(1.5).run()
    page.button(key=f"{str(key).rpartition(':')[0]}:save").click().run()
    assert not page.error
    with desk.database.tenant(ada) as session:
        assert own_of(session).defaults["processing_config"] == {"padding": 1.5}
    area = next(each for each in page.text_area if ":json:" in str(each.key))
    area.set_value('{"video": {"paddding": 1}}').run()
    next(b for b in page.button if str(b.key).endswith(":take")).click().run()
    assert r"paddding\`" in page.error[0].value
    assert "did you mean" in page.error[0].value


def test_notices_are_sent_where_one_says_and_the_address_is_shown_to_nobody(desk: Desk) -> None:
    desk.add(ADA)
    page = settings_of(desk, "notices")
    assert any("sends no mail" in each.value for each in page.info)
    secret = "https://hooks.example.org/canary-token-0123456789"
    page.toggle[0].set_value(True)
    page.text_input[0].set_value("http://hooks.example.org/x")
    page.main.button[-1].click().run()
    assert "begins with https" in page.error[0].value
    page.text_input[0].set_value(secret)
    next(b for b in page.button if b.form_id == "webhook").click().run()
    assert not page.error, page.error[0].value
    assert page.text_input[0].value == ""
    with desk.database.system() as session:
        (row,) = session.scalars(select(NoticeChannel)).all()
    assert row.channel == "webhook"
    again = settings_of(desk, "notices")
    assert "hooks.example.org" in str(again.text_input[0].placeholder)
    assert "canary" not in str(again.text_input[0].placeholder) + str(again.text_input[0].value)


def test_a_password_is_changed_by_the_current_one_and_others_are_logged_out(desk: Desk) -> None:
    ada = desk.add(ADA)
    desk.console.sessions.login(ADA, PASSWORD)
    page = settings_of(desk, "login")
    for given, expected in (
        (("wrong", "x" * 12, "x" * 12), "password"),
        ((PASSWORD, "a-new-password-7", "another"), "differ"),
    ):
        for place, value in enumerate(given):
            page.text_input[place].set_value(value)
        page.main.button[0].click().run()
        assert expected in page.error[0].value
    for place, value in enumerate((PASSWORD, "a-new-password-7", "a-new-password-7")):
        page.text_input[place].set_value(value)
    page.main.button[0].click().run()
    assert not page.error
    assert [each.value for each in page.text_input] == ["", "", ""]
    with desk.database.tenant(ada) as session:
        assert [each.family_id for each in live_sessions(session, ada)] == [
            desk.login(ADA).family_id
        ]


def test_one_session_is_ended_and_a_strangers_is_not(desk: Desk) -> None:
    desk.add(ADA)
    desk.add(BOB)
    sessions: Sessions = desk.console.sessions
    other, bobs = sessions.login(ADA, PASSWORD), sessions.login(BOB, PASSWORD)
    page = settings_of(desk, "login")
    keys = [str(each.key) for each in page.button]
    assert f"end:{other.family_id}" in keys
    assert f"end:{bobs.family_id}" not in keys
    assert f"end:{desk.login(ADA).family_id}" not in keys
    page.button(key=f"end:{other.family_id}").click().run()
    with desk.database.system() as session:
        live = {each.family_id for each in live_sessions(session, desk.id_of(ADA))}
    assert live == {desk.login(ADA).family_id}
    assert sessions.check(bobs.family_id).email == BOB
