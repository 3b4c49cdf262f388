"""The video: as it came in, with the silence cut out, and its sound alone."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg

from assets import checks, show
from assets.step import Made, Step, artifact, perform
from leap_pipeline.domain.planner import Asset
from leap_pipeline.media.audio import extract_audio
from leap_pipeline.media.cut import cut
from leap_pipeline.media.pictures import frame_jpeg, waveform_png
from leap_pipeline.media.probe import probe
from leap_pipeline.media.silence import find_silence
from leap_pipeline.media.timeline import plan_cuts
from leap_pipeline.services.raw_video import RawVideo, verified_raw_video
from leap_pipeline.services.work import Artifact, Begun, Work
from resources.leap import LeapResource


@artifact(
    Asset.RAW_VIDEO,
    description="The recording as its source gave it, in storage and verified to open whole.",
    owner="media",
    kinds={"ffmpeg", "mp4"},
    stage="download",
)
def raw_video(context: dg.AssetExecutionContext, leap: LeapResource) -> Iterator[Step]:
    def take_over(work: Work, begun: Begun, folder: Path) -> Made:  # noqa: ARG001
        return _raw(begun, verified_raw_video(work, context.log.info))

    yield from perform(context, leap, Asset.RAW_VIDEO, take_over)


def _raw(begun: Begun, raw: RawVideo) -> Made:
    info = raw.info
    picture = info.video
    with ExitStack() as held:
        held.push(raw.held)
        return Made(
            artifacts=raw.artifacts,
            columns={"local_video_path": raw.stored_path, "video_file_size": info.size},
            metadata={
                "frame": show.picture(frame_jpeg(raw.path, info.duration / 2), "jpeg", "a frame"),
                "name": begun.recording.display_name,
                "duration": show.clock(info.duration),
                "megabytes": round(info.size / 1e6, 2),
                "container": info.container,
                "picture": f"{picture.width}x{picture.height} {picture.codec}"
                if picture
                else "none",
                **raw.facts,
                "dagster/uri": raw.stored_path,
            },
            checks=[checks.opens(info), checks.as_listed(info.size, raw.expected)],
            held=held.pop_all(),
        )


@artifact(
    Asset.TRIMMED_VIDEO,
    description="The lecture without its silences, cut to the frame, sound and picture in step.",
    owner="media",
    kinds={"ffmpeg", "mp4"},
    stage="trim",
    deps=[Asset.RAW_VIDEO],
)
def trimmed_video(context: dg.AssetExecutionContext, leap: LeapResource) -> Iterator[Step]:
    yield from perform(context, leap, Asset.TRIMMED_VIDEO, _trim)


def _trim(work: Work, begun: Begun, folder: Path) -> Made:
    config = begun.config.video
    source = work.storage.fetch(begun.recording.local_video_path or "")
    tell = work.progress()
    info = probe(source)
    silences = find_silence(
        source,
        threshold_db=config.silence_threshold,
        min_duration=config.min_silence_duration,
        progress=lambda fraction: tell(fraction * 0.2),
    )
    plan = plan_cuts(silences, info.duration, mode=config.silence_mode, padding=config.padding)
    made = folder / "video.mp4"
    after = cut(source, made, plan, progress=lambda fraction: tell(0.2 + fraction * 0.8))
    waveform = waveform_png(source, info.duration, plan.removed)
    return Made(
        artifacts=[Artifact(made, "trimmed_video", work.paths.video)],
        columns={"processed_video_path": work.paths.video},
        stage_meta={"timeline": plan.to_json(), "no_speech": plan.no_speech},
        metadata={
            "waveform": show.picture(waveform, "png", "loudness; cut silences shaded"),
            "frame": show.picture(frame_jpeg(made, after.duration / 2), "jpeg", "a frame"),
            "duration before": show.clock(info.duration),
            "duration after": show.clock(after.duration),
            "seconds cut": round(info.duration - plan.duration_after, 2),
            "cuts": show.intervals(plan.removed),
            "speech": "none found, so it is kept whole" if plan.no_speech else "found",
            "dagster/uri": work.paths.video,
        },
        checks=[
            checks.opens(after),
            checks.as_planned(after.duration, plan.duration_after),
            checks.in_step(made),
        ],
    )


@artifact(
    Asset.AUDIO,
    description="The sound of the trimmed lecture for speech recognition: 16 kHz, mono, MP3.",
    owner="media",
    kinds={"ffmpeg", "mp3"},
    stage="trim",
    # The raw video too: without TRIM the sound is taken from it.
    deps=[Asset.RAW_VIDEO, Asset.TRIMMED_VIDEO],
)
def audio(context: dg.AssetExecutionContext, leap: LeapResource) -> Iterator[Step]:
    yield from perform(context, leap, Asset.AUDIO, _extract)


def _extract(work: Work, begun: Begun, folder: Path) -> Made:
    recording = begun.recording
    source = work.storage.fetch(recording.processed_video_path or recording.local_video_path or "")
    made = folder / "audio.mp3"
    duration = extract_audio(source, made, progress=work.progress())
    info = probe(made)
    return Made(
        artifacts=[Artifact(made, "audio", work.paths.audio)],
        columns={"processed_audio_path": work.paths.audio},
        metadata={
            "duration": show.clock(duration),
            "megabytes": round(info.size / 1e6, 2),
            "sample rate (Hz)": info.audio.rate if info.audio else 0,
            "from": "the trimmed video" if recording.processed_video_path else "the raw video",
            "dagster/uri": work.paths.audio,
        },
        checks=[
            checks.opens(info, video=False),
            checks.as_planned(duration, probe(source).duration),
        ],
    )
