"""`leap topics` and `leap subtitles`: from a transcript's file, with nothing else of LEAP."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from leap_pipeline.commands.outputs import refuse_output
from leap_pipeline.errors import InputError
from leap_pipeline.speech.transcript import read_transcript
from leap_pipeline.subtitles.cues import Cue, build_cues
from leap_pipeline.subtitles.rules import check
from leap_pipeline.subtitles.write import write_srt, write_vtt
from leap_pipeline.topics.document import (
    TopicsDocument,
    add_version,
    read_document,
    write_document,
)
from leap_pipeline.topics.local import extract_topics
from leap_pipeline.topics.shapes import Granularity, Topics

Master = Annotated[
    Path, typer.Argument(metavar="MASTER.JSON", help="The transcript, from leap transcribe.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def topics(
    master: Master,
    output: Annotated[Path, typer.Option("-o", "--output", help="The topics.json to write.")],
    *,
    granularity: Annotated[
        Granularity, typer.Option(help="Few long topics, or about twice as many short ones.")
    ] = "long",
    as_json: AsJson = False,
) -> None:
    """Find the topics of a transcript; a topics.json that is there gets one more version."""
    spoken = read_transcript(master)
    refuse_output(master, output, what="transcript")
    before = read_document(output) if output.exists() else None
    found = extract_topics(spoken, granularity=granularity)
    document = add_version(
        before,
        found,
        recording_id=before.recording_id if before else None,
        granularity=granularity,
    )
    write_document(document, output)
    text = _topics_as_json(document, found) if as_json else _topics_as_text(output, document, found)
    sys.stdout.write(text)


def subtitles(
    master: Master,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where to write them.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Write subtitles.srt and subtitles.vtt from a transcript."""
    spoken = read_transcript(master)
    cues = build_cues(spoken)
    _make_folder(output)
    write_srt(cues, output / "subtitles.srt")
    write_vtt(cues, output / "subtitles.vtt")
    broken = check(cues, spoken.duration)
    text = _cues_as_json(output, cues, broken) if as_json else _cues_as_text(output, cues, broken)
    sys.stdout.write(text)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        msg = f"{folder} is a file: name a directory to write to."
        raise InputError(msg) from error
    except FileNotFoundError as error:
        msg = f"There is no directory {folder.absolute().parent}: make it first."
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{folder} cannot be made ({error.strerror}): choose another place."
        raise InputError(msg) from error


def _topics_as_json(document: TopicsDocument, found: Topics) -> str:
    summary = {
        "version": document.versions[-1].id,
        "active_version": document.active_version,
        **found.model_dump(mode="json"),
    }
    return json.dumps(summary, ensure_ascii=False, indent=2) + "\n"


def _topics_as_text(output: Path, document: TopicsDocument, found: Topics) -> str:
    if not found.topic_timestamps:
        return f"{output}: there are no words in the transcript, so there are no topics.\n"
    lines = [f"{_clock(each.start)}  {each.topic}" for each in found.topic_timestamps]
    main = ", ".join(found.main_topics) or "none"
    newest = document.versions[-1].id
    held = "" if newest == document.active_version else f", {document.active_version} stays active"
    lines.append(f"{output}: {len(lines)} topics, version {newest}{held}; main topic: {main}.")
    return "\n".join(lines) + "\n"


def _cues_as_json(folder: Path, cues: list[Cue], broken: list[str]) -> str:
    summary = {
        "cues": len(cues),
        "srt": str(folder / "subtitles.srt"),
        "vtt": str(folder / "subtitles.vtt"),
        "broken_rules": broken,
    }
    return json.dumps(summary, ensure_ascii=False, indent=2) + "\n"


def _cues_as_text(folder: Path, cues: list[Cue], broken: list[str]) -> str:
    text = f"{folder}: {len(cues)} cues in subtitles.srt and subtitles.vtt.\n"
    if broken:
        text += f"The speech is too fast to keep every rule, {len(broken)} times: {broken[0]}\n"
    return text


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"
