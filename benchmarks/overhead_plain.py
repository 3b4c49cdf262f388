"""One recording's prepare phase without Dagster: the plain side of `benchmarks.overhead`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.planner import Asset
from leap_pipeline.media.audio import extract_audio
from leap_pipeline.media.cut import cut
from leap_pipeline.media.pictures import frame_jpeg, waveform_png
from leap_pipeline.media.silence import find_silence
from leap_pipeline.media.timeline import plan_cuts
from leap_pipeline.media.verify import sync_error
from leap_pipeline.services.claim import Token, claim
from leap_pipeline.services.launching import launch_now
from leap_pipeline.services.raw_video import verified_raw_video
from leap_pipeline.services.work import Artifact, Begun, Work
from leap_pipeline.settings import load_settings
from leap_pipeline.speech.transcript import read_transcript, write_transcript
from leap_pipeline.speech.whisper import LocalWhisper
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.subtitles.cues import build_cues
from leap_pipeline.subtitles.write import write_srt, write_vtt
from leap_pipeline.topics.document import add_version, write_document
from leap_pipeline.topics.local import extract_topics

Made = tuple[list[Artifact], dict[str, object]]


def raw_video(work: Work, begun: Begun, folder: Path) -> Made:
    raw = verified_raw_video(work)
    frame_jpeg(raw.path, raw.info.duration / 2)
    return [], {"local_video_path": raw.stored_path}


def trimmed_video(work: Work, begun: Begun, folder: Path) -> Made:
    source, made = work.storage.fetch(begun.recording.local_video_path or ""), folder / "video.mp4"
    plan = plan_cuts(find_silence(source), begun.recording.duration)
    after = cut(source, made, plan, progress=work.progress())
    waveform_png(source, plan.duration, plan.removed)
    frame_jpeg(made, after.duration / 2)
    sync_error(made)
    artifacts = [Artifact(made, "trimmed_video", work.paths.video)]
    return artifacts, {"processed_video_path": work.paths.video}


def audio(work: Work, begun: Begun, folder: Path) -> Made:
    made = folder / "audio.mp3"
    extract_audio(work.storage.fetch(begun.recording.processed_video_path or ""), made)
    artifacts = [Artifact(made, "audio", work.paths.audio)]
    return artifacts, {"processed_audio_path": work.paths.audio}


def transcript(work: Work, begun: Begun, folder: Path) -> Made:
    made = folder / "master.json"
    source = work.storage.fetch(begun.recording.processed_audio_path or "")
    write_transcript(LocalWhisper(load_settings()).transcribe(source), made)
    artifacts = [Artifact(made, "transcript", work.paths.transcript)]
    return artifacts, {"transcription_dir": work.paths.transcriptions}


def topics(work: Work, begun: Begun, folder: Path) -> Made:
    made = folder / "topics.json"
    found = extract_topics(read_transcript(work.storage.fetch(work.paths.transcript)))
    document = add_version(None, found, recording_id=work.recording_id, granularity="long")
    write_document(document, made)
    return [Artifact(made, "topics", work.paths.topics)], {}


def subtitles(work: Work, begun: Begun, folder: Path) -> Made:
    cues = build_cues(read_transcript(work.storage.fetch(work.paths.transcript)))
    srt, vtt = folder / "subtitles.srt", folder / "subtitles.vtt"
    write_srt(cues, srt)
    write_vtt(cues, vtt)
    return [
        Artifact(srt, "subtitles_srt", work.paths.srt),
        Artifact(vtt, "subtitles_vtt", work.paths.vtt),
    ], {}


STEPS: dict[Asset, Callable[[Work, Begun, Path], Made]] = {
    Asset.RAW_VIDEO: raw_video,
    Asset.TRIMMED_VIDEO: trimmed_video,
    Asset.AUDIO: audio,
    Asset.TRANSCRIPT: transcript,
    Asset.TOPICS: topics,
    Asset.SUBTITLES: subtitles,
}


def main(run_id: int) -> None:
    settings = load_settings()
    database = Database(resolve(settings))
    launch = launch_now(database, run_id, datetime.now(UTC))
    assert launch is not None
    work = claim(
        database,
        LocalStorage(settings.storage),
        launch.recording_id,
        phase=launch.phase,
        token=Token(launch.run_id, launch.generation),
    )
    for asset in launch.selection:
        begun = work.begin(asset)
        with tempfile.TemporaryDirectory(dir=settings.storage) as name:
            artifacts, columns = STEPS[asset](work, begun, Path(name))
            work.complete(asset, begun, artifacts, columns=columns)
    work.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
