"""Real runs of Dagster that are killed; benchmarks/publish_runs.py goes through all points."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from tests.support.postgres import TestServer
from tests.support.publish_matrix import Case, Kill, matrix
from tests.support.publish_runs import DagsterMatrix
from tests.support.studio import V, Y

CASES = [
    Case(Y, 1000, Kill("all sent of chunk 3")),
    Case(Y, 1001, Kill("after commit to upload_sessions 2")),
    Case(V, 1002, Kill("all sent of POST /upload.do 1")),
    Case(V, 1003, Kill("before commit to recording_runs 1")),
]


@pytest.fixture(scope="module")
def made(
    postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DagsterMatrix]:
    with matrix(postgres_server, tmp_path_factory.mktemp("runs"), DagsterMatrix) as found:
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_dies_in_a_run_is_there_once(made: DagsterMatrix, case: Case) -> None:
    lived = made.live(case)
    assert lived.kills == 1
    assert lived.differences == ()
    killed, *others = made.dagster_runs()
    assert killed.status is dg.DagsterRunStatus.FAILURE
    assert {run.status for run in others} == {dg.DagsterRunStatus.SUCCESS}
