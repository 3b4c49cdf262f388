"""What is taken away: all of it, harmless, for those who may, and noted."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.services import exports
from leap_pipeline.services.audit import AuditFilter, entries
from tests.support.accounts import ADA
from tests.support.console import Desk
from tests.support.watched import HOSTILE, PROCESSED, watchable

EVE, BOSS = "eve@example.org", "boss@example.org"
FORMULA = '=HYPERLINK("https://evil.test","Лекция")'


def noted(desk: Desk) -> list[tuple[str, dict[str, Any] | None]]:
    with desk.database.system() as session:
        return [
            (each.action, each.after) for each in entries(session, AuditFilter(action="export"))
        ]


def test_a_list_comes_page_by_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    desk.add(EVE)
    ada = desk.add(ADA)
    numbers = [watchable(desk, ada, name) for name in (FORMULA, "B", "C", "D", "E")]
    watchable(desk, desk.id_of(EVE), "Eve's own")
    client = desk.client(ADA)
    answer = client.get("/exports/recordings.csv?sort=oldest")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment; filename=" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))
    assert [int(row["id"]) for row in rows] == numbers
    assert (rows[0]["name"], rows[0]["main_topics"]) == (f"'{FORMULA}", "Graphs")
    found = client.get("/exports/recordings.json?q=b&status=PROCESSED").json()
    assert [each["name"] for each in found] == ["B"]
    assert found[0]["start_time"] == "2026-09-01T09:30:00+00:00"
    assert client.get("/exports/recordings.json?status=BIN").json() == []
    # What only an admin may ask for changes nothing.
    for owner in ("ALL", desk.id_of(EVE)):
        assert len(client.get(f"/exports/recordings.json?owner={owner}").json()) == 5
    assert noted(desk)[-1] == ("export.recordings", noted(desk)[-1][1])
    assert noted(desk)[3][1] == {
        "form": "json",
        "statuses": ["PROCESSED"],
        "deleted": False,
        "tombstones": False,
        "text": "b",
    }


def test_an_admin_exports_everybodys(desk: Desk) -> None:
    desk.add(BOSS, role=Role.ADMIN)
    ada, eve = desk.add(ADA), desk.add(EVE)
    watchable(desk, ada, "A")
    watchable(desk, eve, "E")
    client = desk.client(BOSS)
    everything = client.get("/exports/recordings.json").json()
    assert client.get("/exports/recordings.json?owner=ALL").json() == everything
    assert client.get(f"/exports/recordings.json?owner={desk.id_of(BOSS)}").json() == []
    assert {(each["name"], each["owner_id"]) for each in everything} == {("A", ada), ("E", eve)}
    (one,) = client.get(f"/exports/recordings.json?owner={eve}").json()
    assert one["name"] == "E"


@pytest.mark.parametrize(
    "query",
    ["status=NOPE", "template=x", "sort=upside", "blank=maybe", "source=-1"],
)
def test_a_filter_that_is_none_is_refused(desk: Desk, query: str) -> None:
    desk.add(ADA)
    answer = desk.client(ADA).get(f"/exports/recordings.csv?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_who_may_not_takes_nothing(desk: Desk) -> None:
    number = watchable(desk, desk.add(ADA, without=[Permission.EXPORT_DATA]))
    client = desk.client(ADA)
    files = [f"/recordings/{number}/files/{name}" for name in ("transcript.txt", "video.mp4")]
    for path in ("/exports/recordings.csv", "/exports/recordings.json", *files):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "can_export_data" in answer.json()["error"]
    assert noted(desk) == []


def test_files_of_a_recording(desk: Desk) -> None:
    number = watchable(desk, desk.add(ADA), 'Лекция "7"/..\\x')
    client = desk.client(ADA)

    def take(name: str) -> bytes:
        answer = client.get(f"/recordings/{number}/files/{name}")
        assert answer.status_code == 200, (name, answer.text)
        said = answer.headers["content-disposition"]
        assert said.startswith('attachment; filename="______ 7')
        assert "filename*=UTF-8''%D0%9B%D0%B5%D0%BA%D1%86%D0%B8%D1%8F%207" in said
        return answer.content

    assert take("transcript.txt").decode() == f"alpha\nbeta\n{HOSTILE}\n"
    assert json.loads(take("transcript.json"))["language"] == "en"
    assert take("subtitles.vtt").startswith(b"WEBVTT")
    assert b" --> " in take("subtitles.srt")
    assert json.loads(take("topics.json"))["active_version"] == "v1"
    assert take("video.mp4") == PROCESSED
    assert client.get(f"/recordings/{number}/files/source.mkv").status_code == 404
    assert [(after or {})["file"] for _, after in noted(desk)][::-1] == [
        "transcript.txt",
        "transcript.json",
        "subtitles.vtt",
        "subtitles.srt",
        "topics.json",
        "video.mp4",
    ]
