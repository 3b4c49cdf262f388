"""Where thumbnails lie: each user's own, and the shared ones that are only read.

users/user_000001/thumbnails/ml.png
shared/thumbnails/lecture.png
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import TypeAdapter, ValidationError
from ulid import ULID

from leap_pipeline.domain.names import clean_name
from leap_pipeline.domain.shapes.publishing import PictureName
from leap_pipeline.errors import InputError
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.paths import user_folder

SHARED_FOLDER = "shared/thumbnails"
_NAME: TypeAdapter[str] = TypeAdapter(PictureName)


def own_folder(user_slug: int) -> str:
    return f"{user_folder(user_slug)}/thumbnails"


def own_path(user_slug: int, name: str) -> str:
    """Where a user's picture of that name lies; raises `InputError` for an unsafe name."""
    return f"{own_folder(user_slug)}/{safe_name(name)}"


def safe_name(name: str) -> str:
    """The name as it is stored: composed and without what cannot be seen.

    Raises `InputError` for one that could lead out of its folder, or is no picture's.
    """
    try:
        return _NAME.validate_python(clean_name(name))
    except ValidationError as error:
        why = str(error.errors()[0].get("ctx", {}).get("error", "cannot be used"))
        msg = f"The picture's name “{name:.100}” {why}."
        raise InputError(msg) from error


def shared_names(storage: LocalStorage) -> list[str]:
    folder = storage.path(SHARED_FOLDER)
    if not folder.is_dir():
        return []
    names = (each.name for each in folder.iterdir() if each.is_file())
    return sorted(name for name in names if _is_safe(name))


def shared_path(storage: LocalStorage, name: str) -> str | None:
    """Where the shared picture of that name lies; None where there is none."""
    path = f"{SHARED_FOLDER}/{safe_name(name)}"
    return path if storage.path(path).is_file() else None


def seed_shared(storage: LocalStorage, pictures: Callable[[], Mapping[str, bytes]]) -> None:
    """Make the folder of shared pictures where there is none.

    One that is there is the operator's: what was taken out of it does not come back.
    """
    folder = storage.path(SHARED_FOLDER)
    if folder.exists():
        return
    with storage.scratch(f"thumbnails-{ULID()}") as scratch:
        whole = scratch / folder.name
        whole.mkdir()
        for name, content in pictures().items():
            (whole / name).write_bytes(content)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():  # somebody else may have made it meanwhile
                raise


def _is_safe(name: str) -> bool:
    try:
        return safe_name(name) == name
    except InputError:
        return False
