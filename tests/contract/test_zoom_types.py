"""The fake's answers against Zoom's own types: JSON Schemas made of those of npm's `@zoom/rivet`.

The types have no listing of a whole account; its shape is that of a user's.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.zoom import webhooks
from tests.support.zoom.fake import API, FakeZoom
from tests.support.zoom.world import Meeting

NODE_FOLDER = Path(__file__).parent / "node"
Document = dict[str, Any]
Wrong = list[dict[str, Any]]
Checker = Callable[[Sequence[tuple[str, Document]]], list[Wrong]]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Checker:
    """What is wrong with each document of a type; one start of Node for all of them."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: apt-get install nodejs npm")
    needed = ("@zoom/rivet", "ajv", "ts-json-schema-generator")
    if not all((NODE_FOLDER / "node_modules" / name).is_dir() for name in needed):
        pytest.skip("Zoom's types are not installed: npm ci --prefix tests/contract/node")
    file = tmp_path_factory.mktemp("zoom") / "documents.json"

    def wrong(documents: Sequence[tuple[str, Document]]) -> list[Wrong]:
        said = [{"type": kind, "document": document} for kind, document in documents]
        file.write_text(json.dumps(said), encoding="utf-8")
        command = [node, str(NODE_FOLDER / "check_zoom.mjs"), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        found: list[Wrong] = json.loads(done.stdout)
        return found

    return wrong


class Answers:
    """A world with every kind of file, and what the fake says of it."""

    def __init__(self) -> None:
        self.fake = FakeZoom()
        account = self.fake.add_account()
        self.host = self.fake.owner(account)
        self.http = self.fake.client()
        self.bearer = {"Authorization": f"Bearer {self.fake.grant(account.app)['access_token']}"}
        self.meetings = [self._meeting(kind) for kind in ("slash", "double", "plain")]

    def _meeting(self, kind: str) -> Meeting:
        fake = self.fake
        meeting = fake.add_meeting(self.host, uuid=fake.uuid(kind), topic="Лекция \u200b 1")
        for minutes in (0, 50):
            start = meeting.start + timedelta(minutes=minutes)
            for view in ("shared_screen_with_speaker_view(CC)", "gallery_view", "active_speaker"):
                fake.add_file(meeting, start=start, minutes=45, recording_type=view)
        others = {"M4A": "audio_only", "CHAT": "chat_file", "TRANSCRIPT": "audio_transcript"}
        for file_type, view in others.items():
            fake.add_file(meeting, file_type=file_type, recording_type=view, size=1000)
        return meeting

    def get(self, path: str, **params: str) -> Document:
        answer = self.http.get(f"{API}/{path}/recordings", params=params, headers=self.bearer)
        assert answer.status_code == 200, answer.text
        body: Document = answer.json()
        return body

    def details(self, meeting: Meeting, **params: str) -> Document:
        name = quote(meeting.uuid, safe="")
        if meeting.uuid.startswith("/") or "//" in meeting.uuid:
            name = quote(name, safe="")
        return self.get(f"meetings/{name}", **params)

    def documents(self) -> list[tuple[str, Document]]:
        token = {"include_fields": "download_access_token"}
        return [
            ("Listing", self.get("users/me", page_size="2")),
            ("Listing", self.get("accounts/me", page_size="300")),
            ("Listing", self.get("users/me", **{"from": "2020-01-01", "to": "2020-01-02"})),
            ("Details", self.details(self.meetings[0])),
            ("Details", self.details(self.meetings[1], **token)),
            ("Completed", webhooks.completed(self.fake, self.meetings[2])),
            ("Renamed", webhooks.renamed(self.fake, self.meetings[2], "Before")),
        ]


def spoilt(document: Document, change: Callable[[Any], object]) -> Document:
    copy = deepcopy(document)
    change(copy)
    return copy


def test_what_the_fake_says_is_of_zooms_types(check: Checker) -> None:
    """One thing is beyond the types: those of the REST answers know the status `completed` alone,
    those of the event `processing` too.
    """
    answers = Answers()
    good = answers.documents()
    listing, details, completed = good[0][1], good[3][1], good[5][1]
    assert len(listing["meetings"]) == 2
    assert listing["next_page_token"]
    bad = [
        ("Listing", spoilt(listing, lambda one: one.update(page_size="2"))),
        ("Listing", spoilt(listing, lambda one: one["meetings"][0].update(type=2))),
        ("Listing", spoilt(listing, lambda one: one["meetings"][0].update(made_up=1))),
        ("Details", spoilt(details, lambda one: one.update(id="81234567890"))),
        ("Details", spoilt(details, lambda one: one["recording_files"][0].update(file_type="AVI"))),
        ("Completed", spoilt(completed, lambda one: one.pop("download_token"))),
        ("Completed", spoilt(completed, lambda one: one["payload"]["object"].update(type="2"))),
    ]
    unready = answers.fake.add_meeting(answers.host, uuid=answers.fake.uuid("plain"))
    answers.fake.add_file(unready, ready_at=None)
    preparing = [
        ("Listing", answers.get("users/me")),
        ("Details", answers.details(unready)),
        ("Completed", webhooks.completed(answers.fake, unready)),
    ]
    found = check([*good, *bad, *preparing])
    assert found[: len(good)] == [[]] * len(good)
    assert [bool(each) for each in found[len(good) : -3]] == [True] * len(bad)
    for wrong in found[-3:-1]:
        assert [one["path"].rsplit("/", 1)[-1] for one in wrong] == ["status"]
        assert wrong[0]["params"] == {"allowedValue": "completed"}
    assert found[-1] == []
