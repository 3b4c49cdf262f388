"""What was said: transcript, topics, subtitles."""

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from assets import checks, show
from assets.step import Made, Step, artifact, perform
from leap_pipeline.domain.planner import Asset
from leap_pipeline.services.work import Artifact, Begun, Work
from leap_pipeline.settings import load_settings
from leap_pipeline.speech.transcript import Transcript, read_transcript, write_transcript
from leap_pipeline.speech.whisper import LocalWhisper
from leap_pipeline.subtitles.cues import build_cues
from leap_pipeline.subtitles.write import write_srt, write_vtt
from leap_pipeline.topics.document import add_version, read_document, write_document
from leap_pipeline.topics.local import extract_topics
from resources.leap import LeapResource

PREVIEW_WORDS = 60


@artifact(
    Asset.TRANSCRIPT,
    description="What was said, with the time of every word on the trimmed video's timeline.",
    owner="speech",
    kinds={"whisper", "json"},
    stage="transcribe",
    deps=[Asset.AUDIO],
)
def transcript(context: dg.AssetExecutionContext, leap: LeapResource) -> Iterator[Step]:
    yield from perform(context, leap, Asset.TRANSCRIPT, _transcribe)


def _transcribe(work: Work, begun: Begun, folder: Path) -> Made:
    config = begun.config.transcription
    source = work.storage.fetch(begun.recording.processed_audio_path or "")
    started = time.monotonic()
    found = LocalWhisper(load_settings()).transcribe(
        source,
        language=config.language,
        prompt=config.prompt,
        vocabulary=config.vocabulary,
        progress=work.progress(),
    )
    elapsed = time.monotonic() - started
    made = folder / "master.json"
    write_transcript(found, made)
    words = [word for segment in found.segments for word in segment.words]
    facts = {
        "language": found.language,
        "model": found.model,
        "words": len(words),
        "segments": len(found.segments),
        "duration": round(found.duration, 3),
        "real_time_factor": round(elapsed / found.duration, 4) if found.duration else None,
    }
    opening = " ".join(word.word.strip() for word in words[:PREVIEW_WORDS])
    probability = sum(word.probability for word in words) / len(words) if words else 0.0
    return Made(
        artifacts=[Artifact(made, "transcript", work.paths.transcript)],
        columns={
            "transcription_info": facts,
            "transcription_dir": work.paths.transcriptions,
        },
        stage_meta=facts,
        metadata={
            "first lines": dg.MetadataValue.text(opening or "no speech was found"),
            "words": len(words),
            "language": found.language,
            "model": found.model,
            "real-time factor": facts["real_time_factor"] or 0.0,
            "mean probability": round(probability, 3),
            "dagster/uri": work.paths.transcript,
        },
        checks=checks.transcript_times(found, found.duration),
    )


@artifact(
    Asset.TOPICS,
    description="What the lecture is about and when each topic begins: the video's chapters.",
    owner="speech",
    kinds={"python", "json"},
    stage="extract_topics",
    deps=[Asset.TRANSCRIPT],
)
def topics(context: dg.AssetExecutionContext, leap: LeapResource) -> Iterator[Step]:
    yield from perform(context, leap, Asset.TOPICS, _find_topics)


def _find_topics(work: Work, begun: Begun, folder: Path) -> Made:
    spoken = _transcript_of(work)
    granularity = begun.config.transcription.topics_granularity
    found = extract_topics(spoken, granularity=granularity)
    stored = work.storage.path(work.paths.topics)
    document = add_version(
        read_document(stored) if stored.is_file() else None,
        found,
        recording_id=work.recording_id,
        granularity=granularity,
    )
    made = folder / "topics.json"
    write_document(document, made)
    active = document.active
    return Made(
        artifacts=[Artifact(made, "topics", work.paths.topics)],
        columns={
            "topic_timestamps": [each.model_dump() for each in active.topic_timestamps],
            "main_topics": list(active.main_topics),
        },
        stage_meta={"model": found.model, "version": document.versions[-1].id},
        metadata={
            "topics": show.table(
                {"start": show.clock(each.start), "end": show.clock(each.end), "topic": each.topic}
                for each in found.topic_timestamps
            ),
            "main topic": ", ".join(found.main_topics) or "none found",
            "model": found.model,
            "granularity": granularity,
            "pauses": len(found.pauses),
            "active version": document.active_version,
            "dagster/uri": work.paths.topics,
        },
        checks=checks.span_checks(
            [(each.start, each.end) for each in found.topic_timestamps], spoken.duration
        ),
    )


@artifact(
    Asset.SUBTITLES,
    description="Subtitles of the trimmed video as SRT and WebVTT, by broadcast rules.",
    owner="speech",
    kinds={"python", "srt"},
    stage="generate_subtitles",
    deps=[Asset.TRANSCRIPT],
)
def subtitles(context: dg.AssetExecutionContext, leap: LeapResource) -> Iterator[Step]:
    yield from perform(context, leap, Asset.SUBTITLES, _write_subtitles)


def _write_subtitles(work: Work, begun: Begun, folder: Path) -> Made:  # noqa: ARG001
    spoken = _transcript_of(work)
    cues = build_cues(spoken)
    srt, vtt = folder / "subtitles.srt", folder / "subtitles.vtt"
    write_srt(cues, srt)
    write_vtt(cues, vtt)
    return Made(
        artifacts=[
            Artifact(srt, "subtitles_srt", work.paths.srt),
            Artifact(vtt, "subtitles_vtt", work.paths.vtt),
        ],
        stage_meta={"cues": len(cues)},
        metadata={
            "cues": len(cues),
            "first cues": show.table(
                {
                    "start": show.clock(cue.start),
                    "end": show.clock(cue.end),
                    "text": " / ".join(cue.lines),
                }
                for cue in cues[:8]
            ),
            "dagster/uri": work.paths.srt,
        },
        checks=checks.subtitle_checks(cues, spoken.duration),
    )


def _transcript_of(work: Work) -> Transcript:
    return read_transcript(work.storage.fetch(work.paths.transcript))
