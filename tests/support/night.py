"""A living `leap up` that publishes to fakes on sockets, and what Dagster shows of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import imageio_ffmpeg
from sqlalchemy import select, update
from sqlalchemy.orm import lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.planner import UPLOADS
from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.security.keys import ensure_keys
from leap_pipeline.services.ingest import Ingested, ingest_file
from leap_pipeline.settings import CHECKOUT, Settings
from tests.support.bench import Bench, make_bench
from tests.support.clockwork import Clockwork, clockwork
from tests.support.studio import Addresses, Studio, V, Y
from tests.support.vk import serve as vk_serve
from tests.support.vk.fake import FakeVK
from tests.support.vk.world import Person, Token
from tests.support.youtube import serve as youtube_serve
from tests.support.youtube.fake import FakeYouTube

SECONDS = 12.0
"""Of the lecture: its first sentence."""
SHOWN = """query Shown($asset: String!) {
  assetNodeOrError(assetKey: {path: [$asset]}) {
    ... on AssetNode {
      assetMaterializations(limit: 5) {
        runId partition
        metadataEntries {
          __typename label
          ... on UrlMetadataEntry { url }
          ... on TextMetadataEntry { text }
          ... on MarkdownMetadataEntry { mdStr }
          ... on JsonMetadataEntry { jsonString }
          ... on TableMetadataEntry { table { records } }
        }
      }
      assetChecksOrError {
        ... on AssetChecks {
          checks {
            name
            executionForLatestMaterialization { evaluation { success partition } }
          }
        }
      }
    }
  }
}"""
RUN = """query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""


@dataclass
class Night:
    """`leap` is up or not yet; `studio` has an account and a preset on each platform."""

    leap: Clockwork
    studio: Studio
    youtube: FakeYouTube
    vk: FakeVK
    person: Person
    tokens: Mapping[Platform, str]

    @property
    def bench(self) -> Bench:
        return self.studio.bench

    def ingest(self, lecture: Path) -> Ingested:
        settings = self.leap.settings.model_copy(
            update={"blank_max_seconds": 1, "blank_max_bytes": 1}
        )
        found = ingest_file(
            self.bench.database, self.bench.storage, settings, lecture, email="owner@example.org"
        )
        self.studio.recording = found.recording_id
        return found

    def token_of_vk(self) -> Token:
        return self.vk.world.tokens[self.tokens[V]]

    def target(self, platform: Platform) -> str | None:
        """The status of a target, None as long as there is none."""
        return self.bench.picture(self.studio.recording).targets.get(platform)

    def runs(self, platform: Platform) -> list[RecordingRun]:
        """The publish runs of a target, oldest first."""
        with self.bench.database.system() as session:
            return list(
                session.scalars(
                    select(RecordingRun)
                    .where(
                        RecordingRun.recording_id == self.studio.recording,
                        RecordingRun.phase == Phase.PUBLISH,
                        RecordingRun.target_type == platform,
                    )
                    .order_by(RecordingRun.id)
                    .options(lazyload("*"))
                )
            )

    def dagster_status(self, run: RecordingRun) -> str | None:
        found = self.leap.graphql(RUN, id=run.dagster_run_id).get("runOrError", {})
        return found.get("status") and str(found["status"])

    def shown(self, platform: Platform) -> dict[str, Any]:
        """What Dagster's page of the asset shows of its newest materialization, by label."""
        newest: Sequence[Any] = self._node(platform)["assetMaterializations"][:1]
        return {
            entry["label"]: _value(entry) for each in newest for entry in each["metadataEntries"]
        }

    def checks(self, platform: Platform) -> dict[str, tuple[bool, str | None]]:
        """Of each check that was answered: whether it passed, and for which partition."""
        found = {}
        for check in self._node(platform)["assetChecksOrError"]["checks"]:
            execution = check["executionForLatestMaterialization"]
            if execution is not None and execution["evaluation"] is not None:
                told = execution["evaluation"]
                found[check["name"]] = (told["success"], told["partition"])
        return found

    def look_now(self) -> None:
        """The half minute has gone by after which a new video is looked at."""
        with self.bench.database.system() as session:
            session.execute(
                update(UploadSession)
                .where(UploadSession.next_look_at.is_not(None))
                .values(next_look_at=datetime.now(UTC))
            )

    def _node(self, platform: Platform) -> dict[str, Any]:
        found = self.leap.graphql(SHOWN, asset=str(UPLOADS[platform]))["assetNodeOrError"]
        return dict(found)


def short_lecture(folder: Path) -> Path:
    """The beginning of the sample."""
    made = folder / "Photosynthesis lecture.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin"]
    source = str(CHECKOUT / "samples" / "lecture.mp4")
    subprocess.run(
        [*command, "-i", source, "-t", str(SECONDS), "-c", "copy", str(made)], check=True
    )
    return made


def environment(settings: Settings, addresses: Addresses) -> dict[str, str]:
    """What commands and `leap up` have to know beside their ports."""
    return {
        "LEAP_HOME": str(settings.home),
        "LEAP_DATABASE_URL": str(settings.database_url),
        "LEAP_STORAGE_ROOT": str(settings.storage),
        "LEAP_YOUTUBE_API_URL": addresses.youtube,
        "LEAP_VK_API_URL": addresses.vk,
        "LEAP_DAGSTER_PORT": str(settings.dagster_port),
    }


@contextmanager
def night(settings: Settings, database: Database) -> Iterator[Night]:
    """A tenant who publishes on both platforms whatever is prepared; nothing is up yet.

    Its `environment` is the caller's to set.
    """
    youtube, vk = FakeYouTube(), FakeVK()
    with ExitStack() as stack:
        on_youtube = stack.enter_context(youtube_serve.serving(youtube))
        on_vk = stack.enter_context(vk_serve.serving(vk))
        addresses = Addresses(on_youtube.root_url, on_vk.api)
        places = {"youtube_api_url": addresses.youtube, "vk_api_url": addresses.vk}
        settings = settings.model_copy(update=places)
        leap = stack.enter_context(clockwork(settings, database))
        http = stack.enter_context(httpx.Client())
        ensure_keys(settings)
        studio = Studio(
            make_bench(database, settings.storage),
            settings,
            addresses,
            lambda: datetime.now(UTC),
            time.sleep,
            http,
        )
        yield _furnished(leap, studio, youtube, vk)


def _furnished(leap: Clockwork, studio: Studio, youtube: FakeYouTube, vk: FakeVK) -> Night:
    channel, person = youtube.add_channel(), vk.world.add_person()
    playlist, album = youtube.add_playlist(channel), vk.world.add_album(person.id)
    youtube.world.seconds, youtube.world.processing_time = SECONDS, timedelta(0)
    vk.uploads.seconds_of = lambda _sha256, _size: round(SECONDS)
    tokens = {Y: youtube.add_grant(channel), V: vk.world.grant(person).value}
    studio.preset(Y, studio.account(Y, tokens[Y], "channel"), playlist_id=playlist.id)
    studio.preset(V, studio.account(V, tokens[V], "person"), album_id=str(album.id))
    studio.bench.template(
        # Speech has tests of its own, and is what would take the time here.
        {"video": {"remove_silence": False}, "transcription": {"enable_transcription": False}},
        name="Lectures",
        matching_rules={"keywords": ["lecture"]},
        metadata_config={
            "title_template": "{display_name}, {record_time:YYYY}",
            "description_template": "*Biology* of plants\n\n{topics}",
            "thumbnail_name": "lecture.png",
            "tags": ["biology", "plants"],
        },
        output_config={"preset_ids": list(studio.presets.values()), "auto_upload": True},
    )
    return Night(leap, studio, youtube, vk, person, tokens)


def _value(entry: Mapping[str, Any]) -> Any:
    rows = entry.get("table", {}).get("records")
    if rows is not None:
        return rows
    return next(entry[name] for name in ("url", "text", "mdStr", "jsonString") if name in entry)
