"""Workers killed on their way through publishing; benchmarks/publish.py goes through all points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.publish import cases_of
from leap_pipeline.domain.states import Platform
from leap_pipeline.publishing.uploader import Absent
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from tests.support.postgres import TestServer
from tests.support.publish_matrix import Case, Kill, Matrix, matrix, points_of
from tests.support.published_truth import DOUBLED, LOST, There, at_platform, differences
from tests.support.studio import V, Y
from tests.support.studio_fakes import Fakes

LAST_CHUNK = "all sent of chunk 3"
BY_HAND = [
    Case(Y, 90, Kill(LAST_CHUNK)),
    Case(Y, 91, Kill(LAST_CHUNK, gone=True)),
    Case(Y, 92, Kill("middle of chunk 2", gone=True)),
    Case(V, 93, Kill("all sent of POST /upload.do 1")),
    Case(V, 94, Kill("middle of POST /upload.do 1", gone=True)),
]


@pytest.fixture(scope="module")
def made(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with matrix(postgres_server, tmp_path_factory.mktemp("matrix"), Matrix) as found:
        yield found


@pytest.fixture(scope="module")
def names(made: Matrix) -> dict[Platform, list[str]]:
    return {platform: points_of(made, platform) for platform in Platform}


def test_there_are_points_from_plan_to_last_decoration(
    names: dict[Platform, list[str]],
) -> None:
    for platform, points in names.items():
        assert len(set(points)) == len(points) >= 40, platform
        first = next(each for each in points if "upload_sessions" in each)
        assert first == "before commit to upload_sessions 1"
        assert points[-1].startswith("after commit to")
        assert "after commit to target_steps 1" in points


@pytest.mark.parametrize("case", BY_HAND, ids=lambda case: case.name)
def test_what_is_killed_at_a_chosen_point_is_there_once(made: Matrix, case: Case) -> None:
    lived = made.live(case)
    assert lived.kills == 1
    assert lived.differences == ()


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_killed_anywhere_is_there_once(
    made: Matrix, names: dict[Platform, list[str]], seed: int
) -> None:
    for case in cases_of(seed, names, points=2, randoms=0):
        lived = made.live(case)
        assert lived.kills >= 1, case.name
        assert lived.differences == (), case.name


def test_an_engine_that_sends_again_blindly_is_found_out(
    made: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(YouTubePublisher, "search", lambda _self, _upload: Absent())
    lived = made.live(Case(Y, 95, Kill(LAST_CHUNK, gone=True)))
    assert DOUBLED in [each.kind for each in lived.differences]


def test_the_truth_is_not_taken_in(fakes: Fakes) -> None:
    """What the matrix looks for it would find."""
    studio = fakes.studio
    fakes.publish(Y)
    (there,) = at_platform(fakes, Y)
    assert differences(studio, Y, [there]) == []
    another = replace(there, name="another")
    assert [each.kind for each in differences(studio, Y, [there, another])] == [DOUBLED]
    assert [each.kind for each in differences(studio, Y, [])] == [LOST]
    assert LOST in [each.kind for each in differences(studio, Y, [another])]
    for wrong in (
        replace(there, sha256="0"),
        replace(there, picture=False),
        replace(there, tracks=2),
        replace(there, collected=2),
    ):
        assert [each.kind for each in differences(studio, Y, [wrong])] == ["wrong"]
    assert "stuck" in [
        each.kind for each in differences(studio, V, [There("1_1", "0", True, 0, 1)])
    ]
