"""What is hidden, what stays readable, and what it costs."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from urllib.parse import quote

import pytest

from leap_pipeline import logs, redaction
from leap_pipeline.redaction import HIDDEN, REMEMBERED, redact, redact_tree, remember
from leap_pipeline.settings import CHECKOUT

S = "Kanarienvogel"  # stands for a secret in every line below

HIDES = [
    f"postgresql://leap:{S}@localhost:5432/leap",
    f"postgresql+psycopg://leap:{S}/with@signs@db.example/leap",
    f"could not parse 'postgresql://u:{S}@h/d'",
    f"https://user:{S}@example.org/path",
    f"GET https://zoom.us/rec/download/abc?access_token={S}",
    f"https://zoom.us/rec/play/abc?pwd={S}&startTime=1",
    f"https://b.s3.amazonaws.com/k?X-Amz-Credential={S}&X-Amz-Signature={S}&x=1",
    f"https://storage.example/o?name=a&sig={S}",
    f"https://www.googleapis.com/upload/youtube/v3/videos?uploadType=resumable&upload_id={S}",
    f"redirected to http://localhost/cb?state=1&code={S}",
    f"https://vk.com/upload.php?act=add&hash={S}",
    f"Authorization: Bearer {S}",
    f"authorization: Basic {S}==",
    f"{{'Authorization': 'Bearer {S}'}}",
    f'{{"authorization":"{S}"}}',
    f"('Authorization', 'Bearer {S}')",
    f"x-api-key: {S}",
    f"Cookie: leap={S}; theme=dark",
    f"set-cookie: session={S}; HttpOnly",
    f"sent bearer {S}{S}",
    f"client_secret={S}",
    f"ZOOM_CLIENT_SECRET={S}",
    f"LEAP_ENCRYPTION_KEYS={S},{S}2",
    f"grant_type=refresh_token&refresh_token={S}&client_id=app",
    f'{{"client_secret": "{S}", "account_id": "acc"}}',
    f"{{'password': '{S} with \\' quotes'}}",
    f'{{"passcode": {S}}}',
    f"connect(password='{S}', user='leap')",
    f"password={S} host=db",
    f"api_key = '{S}'",
    f"code_verifier={S}",
    f"ya29.{S}-x_y",
    f"vk1.a.{S}",
    f"sk-{S}{S}",
    f"fw_{S}{S}",
    f"GOCSPX-{S}",
    f"eyJ{S}.{S}.{S}",
    f"gAAAAABpXPlAw23LoEAwpc3HUcaaf{S}==",
    f"{S:A<43}=",
    f"$argon2id$v=19$m=65536,t=3,p=4${S}",
    f"$2b$12${S}",
]


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    before = dict(redaction._values)
    yield
    redaction._values.clear()
    redaction._values.update(before)


@pytest.mark.parametrize("text", HIDES)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    clean = redact(text)
    assert S not in clean
    assert HIDDEN in clean
    assert redact(clean) == clean


INNOCENT = [
    "The database at localhost:5432, database leap cannot be reached: see that it runs.",
    "The database at db:5432 refuses the password of leap: correct it in the URL.",
    "401 code 124 (token)",
    "Invalid access token.",
    "a token: expired",
    "basic understanding of signatures",
    "https://zoom.us/rec/play/abc?startTime=1700000000",
    "http://127.0.0.1:3000/runs/6f1ed002?view=logs",
    "https://docs.python.org/3/library/re.html?highlight=search#re.sub",
    "credential.client_secret is missing; add it",
    "There is a zoom account “host@example.edu” already",
    "{'recording_id': 142, 'status': 'READY', 'words': 1200}",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "users/user_000001/recordings/142/source.mp4",
    "run 0c1b3f6e-7f43-4bd5-9c1f-0d8e3b3b5a55 began",
    "01M82QR519P4C4KJ1WXV95BVCR",
    "postgresql://localhost/leap",
    "Лекция: пароли и токены",
    "",
]


@pytest.mark.parametrize("text", INNOCENT)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_stands_round_a_secret_stays() -> None:
    assert redact(f"password={S} host=db port=5432") == "password=*** host=db port=5432"
    assert redact(f"postgresql://leap:{S}@db/leap failed") == "postgresql://leap:***@db/leap failed"
    assert redact(f'{{"api_key": "{S}", "n": 1}}') == '{"api_key": ***, "n": 1}'


@pytest.mark.parametrize(
    "secret", ["correct horse", "пароль-Кириллица", 'a"quote\\and', "a&b=c/d+e?f"]
)
def test_a_remembered_value_is_hidden_in_every_form(secret: str) -> None:
    assert secret in redact(f"it said {secret}!")
    remember(secret)
    for form in (secret, quote(secret, safe=""), json.dumps(secret), json.dumps({"x": [secret]})):
        clean = redact(f"it said {form}!")
        assert secret not in clean
        assert quote(secret, safe="") not in clean
        assert clean.startswith("it said ")
        assert clean.endswith("!")


def test_a_short_value_is_not_remembered_for_it_is_part_of_words() -> None:
    remember("postgres")
    assert redact("postgresql runs as postgres") == "postgresql runs as postgres"


def test_of_secrets_within_each_other_the_longest_goes_first() -> None:
    remember("abcdefghij", "abcdefghij-klmnopq")
    assert redact("abcdefghij-klmnopq") == HIDDEN


def test_memory_is_bounded() -> None:
    remember(*(f"secret number {number}" for number in range(REMEMBERED + 100)))
    assert len(redaction._values) == REMEMBERED
    assert redact("secret number 2099") == HIDDEN


def test_a_tree_keeps_its_structure() -> None:
    tree = {
        "__class__": "Event",
        "message": f"password={S}",
        "metadata": {
            "access_token": {"__class__": "Text", "text": S, "n": 7},
            "words": {"__class__": "Int", "value": 7},
        },
        "client_secret": S,
        "api_key": None,
        "list": [f"Bearer {S}{S}", 1, True, None],
    }
    assert redact_tree(tree) == {
        "__class__": "Event",
        "message": "password=***",
        "metadata": {
            "access_token": {"__class__": "Text", "text": HIDDEN, "n": 0},
            "words": {"__class__": "Int", "value": 7},
        },
        "client_secret": HIDDEN,
        "api_key": None,
        "list": ["Bearer ***", 1, True, None],
    }


@pytest.mark.parametrize(
    "piece",
    ["://", "://a:", "http://a?", "password=", "'token': '", "\\", "Bearer ", "a", "A=", "x-key ",
     "https://a/?x=1&", "eyJaaaaaaaaa.", "_-", "secret_", "://:@", '"password":"\\"', "token= "],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    began = time.perf_counter()
    redact(text)
    assert time.perf_counter() - began < 2


def test_records_have_no_secret_whatever_prints_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "_logRecordFactory", logs.RedactedRecord)
    out = StringIO()
    logger = logging.getLogger("test of redaction")
    logger.addHandler(logging.StreamHandler(out))
    remember(f"{S}-remembered")
    try:
        try:
            msg = f"client_secret={S}"
            raise ValueError(msg)
        except ValueError as cause:
            msg = f"said {S}-remembered"
            raise RuntimeError(msg) from cause
    except RuntimeError:
        logger.exception("token=%s %s", S, {"password": S}, stack_info=True)
    said = out.getvalue()
    assert S not in said.replace("S}", "")
    assert "RuntimeError: said ***" in said
    assert "token=***" in said


@pytest.mark.parametrize(
    "code",
    [
        f"raise ValueError('password={S}')",
        f"import threading\nt = threading.Thread(target=lambda: int('password={S}'))\nt.start()",
        f"class A:\n    def __del__(self): raise ValueError('password={S}')\na = A(); del a",
    ],
)
def test_nothing_that_a_process_dies_of_shows_a_secret(code: str) -> None:
    program = f"from leap_pipeline import logs; logs.install()\n{code}"
    done = subprocess.run(
        [sys.executable, "-"], input=program, capture_output=True, text=True, cwd=CHECKOUT
    )
    assert "ValueError" in done.stderr
    assert S not in done.stdout + done.stderr
