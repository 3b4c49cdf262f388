"""docs/configuration.md knows every key that a person can say, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from leap_pipeline.domain.shapes.processing import TranscriptionConfig, VideoConfig
from leap_pipeline.domain.shapes.publishing import (
    OutputConfig,
    TextSettings,
    VkMetadata,
    YouTubeMetadata,
)

PAGE = Path(__file__).resolve().parents[4] / "docs" / "configuration.md"
TABLES: dict[str, type[BaseModel]] = {
    "video": VideoConfig,
    "speech": TranscriptionConfig,
    "titles": TextSettings,
    "YouTube": YouTubeMetadata,
    "VK": VkMetadata,
    "presets": OutputConfig,
}


def test_each_table_has_the_keys_of_its_shape() -> None:
    tables = dict(
        re.findall(r"^\| (\S+) \| default \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE.read_text(), re.M)
    )
    assert tables.keys() == TABLES.keys()
    for title, model in TABLES.items():
        told = {
            key
            for line in tables[title].splitlines()
            for key in re.findall(r"`(\w+)`", line.split("|")[1])
        }
        common = set() if model is TextSettings else set(TextSettings.model_fields)
        assert told == set(model.model_fields) - common
