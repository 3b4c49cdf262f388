"""The page of one recording: what each person sees of it, and may do."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from dashboard.app_pages import _recording_published
from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.domain.recording_acts import Act
from leap_pipeline.domain.states import Platform, RunState, Stage, StageStatus
from leap_pipeline.errors import TransientError
from leap_pipeline.services.audit import SYSTEM, AuditFilter, entries
from leap_pipeline.services.holds import hold, live_holds
from leap_pipeline.services.moves import move_stage
from leap_pipeline.services.projection import refresh_status
from leap_pipeline.services.recording_edits import save_overrides
from leap_pipeline.services.users import user_of
from tests.support.accounts import ADA
from tests.support.bench import Bench
from tests.support.console import Desk

BOSS = "boss@example.org"
HOSTILE = '*x* <img src=x onerror=alert(1)> [y](javascript:z) ":red["'


def bench_of(desk: Desk, email: str = ADA) -> Bench:
    with desk.database.system() as session:
        user = user_of(session, email)
        assert user is not None
        return Bench(desk.database, desk.console.storage, user.id, user.user_slug)


def fail(bench: Bench, number: int, reason: str) -> None:
    with bench.database.tenant(bench.user_id) as session:
        move_stage(session, number, Stage.TRIM, StageStatus.IN_PROGRESS)
        move_stage(session, number, Stage.TRIM, StageStatus.FAILED, reason)
        refresh_status(session, number)


def open_page(desk: Desk, email: str, number: int) -> AppTest:
    page = desk.open(email, "recording", id=str(number))
    assert not page.exception, page.exception[0].stack_trace
    return page


def labels(page: AppTest) -> list[str]:
    return [each.label for each in page.button]


def menu(page: AppTest) -> list[str]:
    return list(page.menu_button[0].options) if page.menu_button else []


def steps(page: AppTest) -> str:
    bodies = [str(getattr(each, "value", "")) for each in page.get("html")]
    return next(body for body in bodies if "steps" in body)


def test_a_lecturer_reads_and_writes_the_topics(desk: Desk) -> None:
    desk.add(ADA)
    bench = bench_of(desk)
    number = bench.recording(
        display_name=HOSTILE,
        download_status="COMPLETED",
        topic_timestamps=[{"topic": HOSTILE, "start": 0.0, "end": 30.0}],
        main_topics=["plants"],
    )
    page = open_page(desk, ADA, number)
    assert "<" not in page.title[0].value.replace(r"\<", "")
    assert r"\*x\*" in page.title[0].value
    assert "Download</b> · Done" in steps(page)
    assert "onerror" not in steps(page)
    assert not page.warning
    area = page.text_area[0]
    assert area.value == f"0:00:00 {HOSTILE}"
    area.set_value("0:00 Light\nLeaves")
    save = next(each for each in page.button if each.label == "Save")
    save.click().run()
    assert "Line 2, “Leaves”, has no time" in page.error[0].value.replace("\\", "")
    assert page.text_area[0].value == "0:00 Light\nLeaves"
    page.text_area[0].set_value("0:00 Light\n0:20 Leaves")
    next(each for each in page.button if each.label == "Save").click().run()
    assert not page.error
    assert [each["topic"] for each in bench.row(number).topic_timestamps or []] == [
        "Light",
        "Leaves",
    ]
    assert [each.value for each in page.toast][:1] == [
        r"Saved\. What is published changes with an update there\."
    ]


def test_what_failed_comes_first_with_what_to_do(desk: Desk) -> None:
    desk.add(ADA)
    bench = bench_of(desk)
    number = bench.recording(download_status="COMPLETED")
    fail(bench, number, f"it broke {HOSTILE}")
    page = open_page(desk, ADA, number)
    assert page.error[0].value.startswith(r"**Cut** failed: it broke \*x\* \<img")
    assert "&lt;img" in steps(page)
    page.button(key="remedy").click().run()
    assert bench.run(number).state == RunState.QUEUED
    assert bench.run(number).requested_by == ADA
    assert "Preparing waits for its turn." in [each.value for each in page.info]
    page.button(key="act_cancel").click().run()
    assert bench.run(number).state == RunState.CANCELLED


def test_a_hold_says_why_and_is_released(desk: Desk) -> None:
    desk.add(ADA)
    bench = bench_of(desk)
    number = bench.recording()
    with bench.database.tenant(bench.user_id) as session:
        held = hold(
            session, number, HoldKind.QUALITY, HOSTILE, facts={"loudness": -48}, actor=SYSTEM
        )
    page = open_page(desk, ADA, number)
    assert page.warning[0].value.startswith(r"**Held by a quality check**: \*x\*")
    assert "loudness: -48" in [each.value for each in page.text]
    page.button(key=f"release_{held}").click().run()
    with bench.database.tenant(bench.user_id) as session:
        assert live_holds(session, number) == []
    assert not page.warning


def test_who_may_little_is_offered_little(desk: Desk) -> None:
    desk.add(ADA, without=list(Permission))
    bench = bench_of(desk)
    number = bench.recording(download_status="COMPLETED")
    page = open_page(desk, ADA, number)
    assert "Delete…" not in menu(page)
    assert "Rename…" in menu(page)
    assert [tab.label for tab in page.tabs] == ["Topics", "Publishing", "Settings", "History"]
    assert "/dagster/" not in steps(page)


@pytest.mark.parametrize("asked", ["0", "999999999", "-1", "1 OR 1=1", "٣", "9" * 400])
def test_what_is_not_there_is_not_there(desk: Desk, asked: str) -> None:
    desk.add(ADA)
    page = desk.open(ADA, "recording", id=asked)
    assert not page.exception
    assert page.info[0].value.startswith("There is no ")


def test_an_admin_acts_in_the_owners_account_and_others_see_nothing(desk: Desk) -> None:
    desk.add(ADA)
    desk.add(BOSS, role=Role.ADMIN)
    desk.add("eve@example.org")
    bench = bench_of(desk)
    number = bench.recording(display_name="Ada's")
    assert [each.value for each in open_page(desk, "eve@example.org", number).title] == [
        "Recording"
    ]
    page = open_page(desk, BOSS, number)
    assert page.title[0].value == r"Ada\'s"
    page.button(key="act_run").click().run()
    assert not page.error
    run = bench.run(number)
    assert (run.user_id, run.requested_by) == (bench.user_id, BOSS)
    page.menu_button[0].click(Act.SKIP).run()
    page.menu_button[0].click(Act.SKIP)  # an AppTest runs all of the page, and so opens it again
    page.text_input(key="skip_reason").set_value("not wanted")
    next(each for each in page.button if each.label == "Do it").click().run()
    assert bench.row(number).skip_reason == "not wanted"
    with desk.database.system() as session:
        told = entries(session, AuditFilter(subject_type="recording", subject_id=str(number)))
    assert (told[0].action, told[0].actor, told[0].owner_id) == (
        "recording.skip",
        BOSS,
        bench.user_id,
    )


def press(page: AppTest, label: str) -> None:
    next(each for each in page.button if each.label == label).click().run()


def test_own_settings_are_checked_and_taken_back(desk: Desk) -> None:
    desk.add(ADA)
    bench = bench_of(desk)
    number = bench.recording()
    page = open_page(desk, ADA, number)
    page.session_state["parts"] = "Settings"
    page.run()
    assert not page.exception, page.exception[0].stack_trace
    json = next(each for each in page.text_area if each.label == "JSON")
    json.set_value('{"video": {"padding": "1"}}')
    press(page, "Take this over")
    assert "must be a number" in page.error[0].value
    next(each for each in page.text_area if each.label == "JSON").set_value(
        '{"video": {"padding": 1.5}}'
    )
    press(page, "Take this over")
    assert not page.error
    assert bench.row(number).processing_preferences == {"video": {"padding": 1.5}}
    table = next(each.value for each in page.dataframe if "layer" in each.value)
    said = dict(zip(table["path"], table["layer"], strict=False))
    assert said["video.padding"] == "this recording"
    page.button(key="reset:video.padding").click().run()
    assert bench.row(number).processing_preferences is None


def test_what_an_older_platform_left_breaks_no_page(desk: Desk) -> None:
    desk.add(ADA)
    bench = bench_of(desk)
    number = bench.recording(download_status="COMPLETED")
    with bench.database.tenant(bench.user_id) as session:
        session.execute(
            update(ProcessingStage)
            .where(ProcessingStage.recording_id == number, ProcessingStage.stage_type == Stage.TRIM)
            .values(
                status=StageStatus.COMPLETED,
                stage_meta={"timeline": {"duration": 90, "keep": [[0, 1, 2]]}},
            )
        )
    assert "Cut</b> · Done" in steps(open_page(desk, ADA, number))


def test_settings_that_somebody_else_saved_are_not_overwritten(desk: Desk) -> None:
    desk.add(ADA)
    bench = bench_of(desk)
    number = bench.recording()
    page = open_page(desk, ADA, number)
    page.session_state["parts"] = "Settings"
    page.run()
    with bench.database.tenant(bench.user_id) as session:
        save_overrides(session, number, {"video": {"padding": 2.0}}, seen={}, actor=SYSTEM)
    padding = next(each for each in page.number_input if str(each.key).endswith(":video.padding"))
    padding.set_value(1.5)
    press(page, "Save")
    assert "Somebody else has changed these settings" in page.error[0].value.replace("\\", "")
    assert bench.row(number).processing_preferences == {"video": {"padding": 2.0}}
    padding = next(each for each in page.number_input if str(each.key).endswith(":video.padding"))
    assert padding.value == 1.5
    page.button(key="load_settings").click().run()
    padding = next(each for each in page.number_input if str(each.key).endswith(":video.padding"))
    assert padding.value == 2.0


def test_looking_at_what_is_published_writes_nothing(desk: Desk) -> None:
    desk.add(ADA)
    bench = bench_of(desk)
    preset = bench.preset(Platform.VK)
    number = bench.recording(processing_preferences={"output_config": {"preset_ids": [preset]}})
    page = open_page(desk, ADA, number)
    page.session_state["parts"] = "Publishing"
    page.run()
    assert not page.exception, page.exception[0].stack_trace
    assert "**VK**" in [each.value for each in page.markdown]
    with bench.database.system() as session:
        targets = select(OutputTarget).where(OutputTarget.recording_id == number)
        assert session.scalars(targets).all() == []


def test_a_platform_that_does_not_answer_is_told_where_it_was_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_given: object) -> None:
        msg = "VK does not answer."
        raise TransientError(msg)

    desk.add(ADA)
    bench = bench_of(desk)
    number = bench.recording()
    bench.target(number, Platform.VK, "UPLOADED")
    monkeypatch.setattr(_recording_published, "retract_video", silent)
    page = open_page(desk, ADA, number)
    page.session_state["parts"] = "Publishing"
    page.run()
    page.button(key="retract_VK").click().run()
    page.button(key="retract_VK").click()  # an AppTest runs all of the page: it opens again
    page.text_input(key="retract_reason").set_value("wrong file")
    press(page, "Delete the video on VK")
    said = [each.value.replace("\\", "") for each in page.error]
    assert said == ["VK did not do it: VK does not answer."]
    assert not page.warning


def test_every_part_opens_for_an_admin(desk: Desk) -> None:
    desk.add(ADA)
    desk.add(BOSS, role=Role.ADMIN)
    bench = bench_of(desk)
    number = bench.recording(download_status="COMPLETED", local_video_path="a/b.mp4")
    bench.request(number)
    page = open_page(desk, BOSS, number)
    for part in ("Publishing", "History", "Files"):
        page.session_state["parts"] = part
        page.run()
        assert not page.exception, page.exception[0].stack_trace
        assert not page.error, page.error[0].value
    assert [getattr(each, "url", None) for each in page.get("link_button")] == [
        f"/recordings/{number}/files/video.mp4"
    ]
