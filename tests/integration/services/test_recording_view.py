"""One recording in one piece: what each step says of itself, and what stands in the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, update

from leap_pipeline.db.models.recordings import ProcessingStage
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.recording_acts import Act, acts
from leap_pipeline.domain.states import Stage
from leap_pipeline.errors import NotFound
from leap_pipeline.services.recording_view import View, load_view
from tests.support.bench import Bench, do

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def view(bench: Bench, number: int, now: datetime = NOON) -> View:
    with bench.database.tenant(bench.user_id) as session:
        return load_view(session, number, now)


def stage(bench: Bench, number: int, which: Stage, **values: object) -> None:
    with bench.database.tenant(bench.user_id) as session:
        session.execute(
            update(ProcessingStage)
            .where(ProcessingStage.recording_id == number, ProcessingStage.stage_type == which)
            .values(**values)
        )


def test_each_step_took_what_lay_between_it_and_the_one_before(bench: Bench) -> None:
    number = bench.recording(download_status="COMPLETED", downloaded_at=minutes(2))
    run = {"user_id": bench.user_id, "recording_id": number, "phase": "prepare"}
    with bench.database.tenant(bench.user_id) as session:
        session.add(RecordingRun(**run, state="done", started_at=minutes(1)))
        session.flush()
        session.add(RecordingRun(**run, state="running", started_at=minutes(60), progress=0.25))
    stage(bench, number, Stage.TRIM, status="COMPLETED", completed_at=minutes(5))
    stage(bench, number, Stage.TRANSCRIBE, status="COMPLETED", completed_at=minutes(15))
    stage(
        bench,
        number,
        Stage.EXTRACT_TOPICS,
        status="FAILED",
        failed_at=minutes(16),
        failed_reason="why",
        retry_count=2,
    )
    stage(bench, number, Stage.GENERATE_SUBTITLES, status="IN_PROGRESS")
    lines = {each.name: each for each in view(bench, number, minutes(61)).lines}
    assert {name: each.seconds for name, each in lines.items()} == {
        "DOWNLOAD": 60,
        "TRIM": 180,
        "TRANSCRIBE": 600,
        "EXTRACT_TOPICS": 60,
        "GENERATE_SUBTITLES": 60,
    }
    assert (lines["EXTRACT_TOPICS"].failures, lines["EXTRACT_TOPICS"].reason) == (2, "why")
    assert lines["GENERATE_SUBTITLES"].progress == 0.25
    assert lines["TRIM"].progress is None


def test_it_is_read_in_five_statements(bench: Bench) -> None:
    number = bench.recording()
    work = bench.start(number)
    do(work)
    work.close()
    said: list[str] = []

    def note(*given: object) -> None:
        said.append(str(given[2]))

    with bench.database.tenant(bench.user_id) as session:
        event.listen(session.get_bind(), "before_cursor_execute", note)
        try:
            found = load_view(session, number, NOON)
        finally:
            event.remove(session.get_bind(), "before_cursor_execute", note)
        assert len(said) == 5
        assert [each.status for each in found.lines] == ["COMPLETED"] * 5
        assert acts(found.standing, Rights())[0] is Act.FORCE


def test_another_tenants_recording_is_not_there(bench: Bench) -> None:
    number = bench.recording()
    with (
        bench.database.tenant("01J00000000000000000000009") as session,
        pytest.raises(NotFound, match=f"There is no recording {number}"),
    ):
        load_view(session, number, NOON)
