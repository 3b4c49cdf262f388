"""Asset checks: what is declared on each asset, and how each is answered."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg

from leap_pipeline.domain.planner import Asset
from leap_pipeline.media.probe import MediaInfo
from leap_pipeline.media.verify import sync_error
from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.subtitles.cues import Cue
from leap_pipeline.subtitles.rules import check as broken_rules

DURATION_TOLERANCE = 0.1  # seconds: a frame at 25 fps, an MP3 frame and an AAC frame of padding
SYNC_TOLERANCE = 0.04  # seconds, EBU R37's window for sound after picture

OPENS, PLANNED, IN_STEP = "opens", "duration_as_planned", "sound_and_picture_in_step"
LISTED = "size_as_listed"
SORTED, INSIDE = "times_sorted", "times_inside_video"
RULES = "subtitle_rules"

DESCRIPTIONS: Mapping[str, str] = {
    OPENS: "The stored file opens and holds the streams it should.",
    LISTED: "The file has as many bytes as its source said; a source may be off.",
    PLANNED: f"The duration is the planned one, within {DURATION_TOLERANCE * 1000:.0f} ms.",
    IN_STEP: f"Sound and picture start and end together, within {SYNC_TOLERANCE * 1000:.0f} ms.",
    SORTED: "Times rise and no entry overlaps the next.",
    INSIDE: "No time lies outside the video.",
    RULES: "42 characters a line, 2 lines, 1 to 7 s, 20 characters a second, no overlap.",
}

CHECKS: Mapping[Asset, Sequence[str]] = {
    Asset.RAW_VIDEO: (OPENS, LISTED),
    Asset.TRIMMED_VIDEO: (OPENS, PLANNED, IN_STEP),
    Asset.AUDIO: (OPENS, PLANNED),
    Asset.TRANSCRIPT: (SORTED, INSIDE),
    Asset.TOPICS: (SORTED, INSIDE),
    Asset.SUBTITLES: (RULES, INSIDE),
}


def specs(asset: Asset) -> list[dg.AssetCheckSpec]:
    """The declared checks of an asset."""
    return [
        dg.AssetCheckSpec(name=name, asset=str(asset), description=DESCRIPTIONS[name])
        for name in CHECKS.get(asset, ())
    ]


def opens(info: MediaInfo, *, video: bool = True) -> dg.AssetCheckResult:
    passed = info.size > 0 and info.audio is not None and (not video or info.video is not None)
    return _result(OPENS, passed, {"container": info.container, "bytes": info.size})


def as_listed(actual: int, listed: int | None) -> dg.AssetCheckResult:
    """A warning only: the server's own number was kept, and the file opens."""
    facts = {"bytes": actual, "listed": "nothing" if listed is None else listed}
    passed = listed in (None, actual)
    return _result(LISTED, passed, facts, severity=dg.AssetCheckSeverity.WARN)


def as_planned(actual: float, planned: float) -> dg.AssetCheckResult:
    error = abs(actual - planned)
    facts = {"planned (s)": planned, "actual (s)": actual, "difference (ms)": round(error * 1000)}
    return _result(PLANNED, error <= DURATION_TOLERANCE, facts)


def in_step(path: Path) -> dg.AssetCheckResult:
    error = sync_error(path)
    return _result(IN_STEP, error <= SYNC_TOLERANCE, {"difference (ms)": round(error * 1000)})


def transcript_times(transcript: Transcript, duration: float) -> list[dg.AssetCheckResult]:
    words = [word for segment in transcript.segments for word in segment.words]
    return span_checks([(word.start, word.end) for word in words], duration)


def span_checks(spans: Sequence[tuple[float, float]], duration: float) -> list[dg.AssetCheckResult]:
    """Both checks of a list of (start, end) in seconds."""
    rising = all(start <= end for start, end in spans) and all(
        before[1] <= after[0] + 1e-6 for before, after in pairwise(spans)
    )
    inside = all(start >= 0 and end <= duration + DURATION_TOLERANCE for start, end in spans)
    facts = {"entries": len(spans), "duration (s)": round(duration, 3)}
    return [_result(SORTED, rising, facts), _result(INSIDE, inside, facts)]


def subtitle_checks(cues: Sequence[Cue], duration: float) -> list[dg.AssetCheckResult]:
    broken = broken_rules(cues, duration)
    inside = all(cue.start >= 0 and cue.end <= duration + DURATION_TOLERANCE for cue in cues)
    return [
        _result(RULES, not broken, {"cues": len(cues), "broken": "; ".join(broken[:10]) or "none"}),
        _result(INSIDE, inside, {"duration (s)": round(duration, 3)}),
    ]


def _result(
    name: str,
    passed: bool,
    facts: Mapping[str, Any],
    *,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=passed,
        severity=severity,
        metadata=dict(facts),
    )
