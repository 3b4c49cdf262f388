"""Google's refusals as errors: what is wrong and what to do, by Google's own reason.

https://developers.google.com/youtube/v3/docs/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from leap_pipeline.errors import (
    DataError,
    LeapError,
    MustWaitError,
    TransientError,
    UserActionError,
)
from leap_pipeline.redaction import redact
from leap_pipeline.web.calls import Again, Answer
from leap_pipeline.web.errors import CredentialRefused

QUOTA_REASONS = frozenset({"quotaExceeded", "dailyLimitExceeded"})
BUSY_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "backendError"})
CHANNEL_CAP = timedelta(hours=24)
"""So long a channel that uploaded too much has to wait, as YouTube tells."""
SHOWN = 200


class VideoMissing(UserActionError):
    """The video is not there any more."""


class PlaylistMissing(UserActionError):
    """No such playlist, or none of this channel."""


class EntryMissing(UserActionError):
    """The entry of a playlist is not there any more."""


class CaptionsExist(UserActionError):
    """The video has a track of this language and name already."""


class CaptionsMissing(UserActionError):
    """The track is not there any more."""


GONE = "retract it with `leap publish retract`, then publish it again"
"""Where a published video is not there: it is not sent anew while it counts as published."""

_MISSING: Mapping[str, type[UserActionError]] = {
    "videoNotFound": VideoMissing,
    "playlistNotFound": PlaylistMissing,
    "playlistItemNotFound": EntryMissing,
    "captionExists": CaptionsExist,
    "captionNotFound": CaptionsMissing,
}

_SENTENCES: Mapping[str, str] = {
    "videoNotFound": f"YouTube has no such video any more for {{what}}: {GONE}.",
    "playlistNotFound": (
        "YouTube finds no such playlist for {what}: correct `playlist_id` of the preset."
    ),
    "playlistItemNotFound": "YouTube has no such entry any more for {what}.",
    "captionExists": "YouTube has captions of this language and name already for {what}.",
    "captionNotFound": "YouTube has no such captions any more for {what}.",
    "youtubeSignupRequired": (
        "The Google account has no YouTube channel for {what}: create one at youtube.com, then "
        "connect it again."
    ),
    "insufficientPermissions": (
        "The Google account did not grant what is needed for {what}: connect it again and leave "
        "every box ticked."
    ),
    "accessNotConfigured": (
        "The Google project does not use the YouTube Data API, needed for {what}: enable it in "
        "the Google Cloud console."
    ),
    "authenticatedUserAccountClosed": "The YouTube account is closed, which {what} needs.",
    "authenticatedUserAccountSuspended": "The YouTube account is suspended, which {what} needs.",
    "invalidTitle": "YouTube does not take the title of {what}: change its template.",
    "invalidDescription": "YouTube does not take the description of {what}: change its template.",
    "invalidTags": "YouTube does not take the tags of {what}: change `tags` of the preset.",
    "invalidCategoryId": (
        "YouTube does not know the category of {what}: correct `category_id` of the preset."
    ),
    "invalidPublishAt": (
        "YouTube does not take the time at which {what} is to be published: `publish_at` needs a "
        "private video that was never public."
    ),
    "invalidVideoMetadata": (
        "YouTube does not take the settings of {what}: its language may be one that YouTube does "
        "not know, so correct `default_language` of the preset."
    ),
    "defaultLanguageNotSet": "YouTube wants a language for {what}: set `default_language`.",
    "forbiddenPrivacySetting": (
        "YouTube does not let this channel use the privacy of {what}: change `privacy`."
    ),
    "forbiddenEmbedSetting": (
        "YouTube does not let this channel use the embedding of {what}: change `embeddable`."
    ),
    "playlistContainsMaximumNumberOfVideos": (
        "The playlist is full, so that {what} cannot be put there: give the preset another one."
    ),
    "mediaBodyRequired": "YouTube got no file for {what}: its file may be empty.",
    "contentRequired": "YouTube got no text for {what}: its file may be empty.",
    "nameTooLong": "The name of {what} is too long for YouTube: take at most 150 characters.",
    "invalidImage": "YouTube cannot read the picture of {what}: give it a JPEG or a PNG.",
    "forbidden": (
        "YouTube does not let this channel do that with {what}: see that the channel is verified "
        "at youtube.com/verify and that the video is its own."
    ),
}


def refusal(answer: Answer, what: str, now: datetime) -> LeapError | None:
    """The error for an answer of the API to a request about `what`; None for a good one.

    Where the quota is gone the caller must ask its ledger first (`is_out_of_quota`).
    """
    if httpx.codes.is_success(answer.status):
        return None
    reason = reason_of(answer.body)
    if reason == "uploadLimitExceeded":
        due = now + CHANNEL_CAP
        msg = f"The YouTube channel takes no more videos today{said(answer.body)}."
        return MustWaitError(msg, due)
    if refuses_token(answer):
        msg = f"Google refuses a fresh token for {what}: connect the account again."
        return CredentialRefused(msg, gone=False)
    if sentence := _SENTENCES.get(reason):
        kind = _MISSING.get(reason, UserActionError)
        return kind(sentence.format(what=what).rstrip(".") + said(answer.body) + ".")
    return _by_status(answer, what, reason)


def refuses_token(answer: Answer) -> bool:
    """Another token may be taken: not so where the account has no channel."""
    is_refused = answer.status == httpx.codes.UNAUTHORIZED
    return is_refused and reason_of(answer.body) != "youtubeSignupRequired"


def is_out_of_quota(answer: Answer) -> bool:
    """Google has no quota left for this project today."""
    return answer.status == httpx.codes.FORBIDDEN and reason_of(answer.body) in QUOTA_REASONS


def judge(answer: Answer) -> Again | None:
    """For `Calls`: a 403 that is no better than a 429. Nothing was done."""
    if answer.status == httpx.codes.FORBIDDEN and reason_of(answer.body) in BUSY_REASONS:
        return Again("wants fewer requests (HTTP 403)", undone=True)
    return None


def reason_of(body: Mapping[str, Any]) -> str:
    """Google's own word for what is wrong; empty where it says none."""
    error = body.get("error")
    if not isinstance(error, Mapping):
        return ""
    for name in ("errors", "details"):
        for each in error.get(name) or ():
            if isinstance(each, Mapping) and isinstance(found := each.get("reason"), str):
                return _OTHER_NAMES.get(found, found)
    found = error.get("status")
    return found if isinstance(found, str) else ""


_OTHER_NAMES: Mapping[str, str] = {
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "insufficientPermissions",
    "SERVICE_DISABLED": "accessNotConfigured",
    "RATE_LIMIT_EXCEEDED": "rateLimitExceeded",
}


def said(body: Mapping[str, Any]) -> str:
    """Google's own words, short and without secrets, to go behind a sentence of ours."""
    error = body.get("error")
    message = error.get("message") if isinstance(error, Mapping) else None
    if not isinstance(message, str):
        return ""
    words = " ".join(redact(message).split())[:SHOWN]
    return f" (YouTube: {words.rstrip('.')})" if words else ""


def _by_status(answer: Answer, what: str, reason: str) -> LeapError:
    status = answer.status
    told = f" (HTTP {status}{f', {reason:.60}' if reason else ''})"
    if httpx.codes.is_redirect(status):
        host = urlsplit(answer.location or "").hostname or "nowhere"
        msg = f"YouTube's address sends requests on to {host:.100}, which LEAP does not follow."
        return UserActionError(msg)
    if status == httpx.codes.REQUEST_TIMEOUT:
        return TransientError(f"YouTube waited too long for {what}{told}: try again later.")
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return UserActionError(f"The file for {what} is too large for YouTube{told}.")
    if status in (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
        return UserActionError(
            f"YouTube does not let this account reach {what}{told}: see that the channel may do "
            f"it{said(answer.body)}."
        )
    return DataError(
        f"YouTube refuses {what}{told}: report it as a fault of LEAP{said(answer.body)}."
    )
