"""`leap config show` on a real database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from leap_pipeline.cli import app
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import plain
from leap_pipeline.errors import InputError
from tests.support.bench import Bench, make_bench


@pytest.fixture
def bench(
    database: Database, database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    monkeypatch.setenv("LEAP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEAP_DATABASE_URL", plain(database_url))
    return make_bench(database, tmp_path / "storage")


def leap(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_every_value_with_the_row_that_says_it(bench: Bench) -> None:
    template = bench.template(
        {"video": {"padding": 2}},
        name="ML course",
        metadata_config={"title_template": "{themes}", "vk": {"tags": ["a", "b"]}},
    )
    number = bench.recording(template_id=template)

    lines = {line.split()[0]: line for line in leap("config", "show", number).splitlines() if line}
    assert lines["video.padding"].split(maxsplit=2) == [
        "video.padding",
        "2.0",
        f'the template "ML course" ({template})',
    ]
    assert lines["video.remove_silence"].split() == ["video.remove_silence", "yes"]
    assert {"Processing", "Output", "YouTube,", "VK,"} <= lines.keys()

    shown = json.loads(leap("config", "show", number, "--json"))
    assert shown["recording_id"] == number
    said = {"layer": "template", "id": template, "name": "ML course"}
    assert shown["processing"]["video.padding"] == {"value": 2.0, **said}
    assert shown["metadata"]["vk"]["tags"] == {"value": ["a", "b"], **said}
    default = {"layer": "default", "id": None, "name": None}
    assert shown["metadata"]["youtube"]["tags"] == {"value": [], **default}
    assert shown["output"]["auto_upload"] == {"value": False, **default}

    bench.set(number, processing_preferences={"video": {"pading": 1}})
    with pytest.raises(InputError, match="did you mean `padding`"):
        leap("config", "show", number)
    with pytest.raises(InputError, match="no recording"):
        leap("config", "show", number + 1)
