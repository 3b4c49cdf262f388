"""Google's refusals, in every form in which they come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from leap_pipeline.errors import DataError, TransientError, UserActionError
from leap_pipeline.publishing.uploader import Publisher
from leap_pipeline.publishing.youtube.answers import (
    CaptionsExist,
    is_out_of_quota,
    judge,
    reason_of,
    refusal,
)
from leap_pipeline.publishing.youtube.api import YouTubeApi
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from leap_pipeline.publishing.youtube.quota import QuotaCall
from leap_pipeline.redaction import remember
from leap_pipeline.web.calls import Answer
from tests.support.youtube.desk import Spent, Tokens
from tests.support.zoom.clock import Clock

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _body(reason: str, message: str = "No.") -> dict[str, Any]:
    each = {"reason": reason, "message": message, "domain": "youtube"}
    return {"error": {"code": 400, "message": message, "errors": [each]}}


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (_body("quotaExceeded"), "quotaExceeded"),
        (
            {"error": {"details": [{"@type": "x"}, {"reason": "SERVICE_DISABLED"}]}},
            "accessNotConfigured",
        ),
        (
            {"error": {"errors": [], "details": [{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}},
            "insufficientPermissions",
        ),
        ({"error": {"status": "PERMISSION_DENIED"}}, "PERMISSION_DENIED"),
        ({"error": {"errors": ["odd"]}}, ""),
        ({"error": "invalid_grant"}, ""),
        ({}, ""),
    ],
)
def test_the_reason_is_found_wherever_it_stands(body: dict[str, Any], wanted: str) -> None:
    assert reason_of(body) == wanted


def test_a_good_answer_is_no_refusal() -> None:
    assert refusal(Answer(204, {}), "it", NOW) is None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (409, _body("captionExists"), CaptionsExist),
        (413, {}, UserActionError),
        (408, {}, TransientError),
        (404, {}, UserActionError),
        (400, {}, DataError),
    ],
)
def test_what_has_no_sentence_goes_by_its_status(
    status: int, body: dict[str, Any], kind: type[Exception]
) -> None:
    assert type(refusal(Answer(status, body), "it", NOW)) is kind


def test_googles_words_come_without_secrets() -> None:
    remember("ya29.very-secret-token")
    body = _body("forbidden", "The token ya29.very-secret-token\nis bad.")
    told = str(refusal(Answer(403, body), "it", NOW))
    assert "(YouTube: The token *** is bad)" in told


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "userRateLimitExceeded"])
def test_a_rate_limit_is_asked_again(reason: str) -> None:
    again = judge(Answer(403, _body(reason)))
    assert again is not None
    assert again.undone
    assert not is_out_of_quota(Answer(403, _body(reason)))
    assert judge(Answer(403, _body("quotaExceeded"))) is None


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("https://www.googleapis.com/upload/x?upload_id=1", True),
        ("https://youtube.googleapis.com/upload/x", True),
        ("http://youtube.googleapis.com/upload/x", False),
        ("https://googleapis.com.example.org/upload/x", False),
        ("https://evil-googleapis.com/upload/x", False),
        ("/upload/x", False),
    ],
)
def test_a_token_goes_to_google_alone(address: str, ours: bool) -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(500)))
    api = YouTubeApi(http, Tokens(str), Spent(Clock()))
    assert api.is_ours(address) is ours


def test_costs_are_the_documented_ones() -> None:
    costs = {call.name: call.units for call in QuotaCall if call.units > 1}
    assert costs == {
        "THUMBNAIL_SET": 50,
        "PLAYLIST_INSERT": 50,
        "PLAYLIST_DELETE": 50,
        "CAPTIONS_LIST": 50,
        "CAPTIONS_INSERT": 400,
        "CAPTIONS_UPDATE": 450,
        "CAPTIONS_DELETE": 50,
        "VIDEO_UPDATE": 50,
        "VIDEO_DELETE": 50,
    }
    assert [call for call in QuotaCall if call.bucket == "inserts"] == [QuotaCall.VIDEO_INSERT]


def fulfils(publisher: YouTubePublisher) -> Publisher:
    """For the type checker."""
    return publisher
