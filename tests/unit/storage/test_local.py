"""Files come into place whole and in one step, and nothing reaches outside the root."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from leap_pipeline.errors import DataError, UserActionError
from leap_pipeline.storage.local import LocalStorage, disk_full_explained

FINAL = "users/user_000001/recordings/1/video.mp4"


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "storage")


def test_a_file_is_put_in_place_and_found_again(storage: LocalStorage) -> None:
    with storage.scratch("1-prepare-1-1-audio") as folder:
        made = folder / "video.mp4"
        made.write_bytes(b"whole")
        storage.settle(made)
        assert storage.put(made, FINAL) == 5
        assert not made.exists()
    assert storage.fetch(FINAL).read_bytes() == b"whole"
    assert not folder.exists()


def test_a_reader_of_the_old_file_is_not_disturbed(storage: LocalStorage) -> None:
    for content in (b"old", b"newer"):
        with storage.scratch("s") as folder:
            (folder / "made").write_bytes(content)
            if content == b"newer":
                reader = storage.fetch(FINAL).open("rb")
            storage.put(folder / "made", FINAL)
    with reader:
        assert reader.read() == b"old"
    assert storage.fetch(FINAL).read_bytes() == b"newer"


@pytest.mark.parametrize(
    "relative",
    ["", ".", "..", "a/..", "../storage2/x", "a/../../x", "/etc/passwd", "users/../../x"],
)
def test_nothing_leads_out_of_the_root_or_is_the_root_itself(
    storage: LocalStorage, relative: str
) -> None:
    with storage.scratch("s") as folder:
        (folder / "made").write_bytes(b"x")
        for use in (
            storage.path,
            storage.fetch,
            storage.remove,
            lambda path: storage.put(folder / "made", path),
        ):
            with pytest.raises(DataError, match="names nothing inside the storage root"):
                use(relative)
        assert (folder / "made").exists()


def test_a_link_does_not_lead_out_either(storage: LocalStorage, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    storage.root.mkdir()
    (storage.root / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="names nothing inside"):
        storage.fetch("link")


def test_a_root_behind_a_link_is_a_root(storage: LocalStorage, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    storage.root.symlink_to(tmp_path / "real")
    with storage.scratch("s") as folder:
        (folder / "made").write_bytes(b"x")
        storage.put(folder / "made", FINAL)
    assert (tmp_path / "real" / FINAL).is_file()


def test_a_missing_file_is_told_by_its_name(storage: LocalStorage) -> None:
    with pytest.raises(DataError, match=r"recordings/1/video\.mp4 is missing"):
        storage.fetch(FINAL)


def test_scratch_is_empty_at_first_and_gone_at_the_end_even_after_an_error(
    storage: LocalStorage,
) -> None:
    left = storage.root / ".scratch" / "s"
    left.mkdir(parents=True)
    (left / "old").touch()

    def stumble() -> None:
        with storage.scratch("s") as folder:
            assert list(folder.iterdir()) == []
            (folder / "half").touch()
            msg = "it broke"
            raise ValueError(msg)

    with pytest.raises(ValueError, match="it broke"):
        stumble()
    assert not left.exists()


def test_a_sweep_takes_its_prefix_and_nothing_else(storage: LocalStorage) -> None:
    storage.sweep_scratch("1-prepare-")  # there is no scratch yet
    scratch = storage.root / ".scratch"
    for name in ("1-prepare-5-1-audio", "1-prepare-6-2-topics", "11-prepare-5-1-audio", "1-vk-1"):
        (scratch / name).mkdir(parents=True)
    storage.sweep_scratch("1-prepare-")
    assert sorted(each.name for each in scratch.iterdir()) == ["1-vk-1", "11-prepare-5-1-audio"]


def test_a_sweep_of_the_idle_spares_what_was_just_written(storage: LocalStorage) -> None:
    scratch = storage.root / ".scratch"
    for name, age in (("ingest-a", 100), ("ingest-b", 10)):
        (scratch / name).mkdir(parents=True)
        (scratch / name / "source").touch()
        then = time.time() - age
        os.utime(scratch / name / "source", (then, then))
        os.utime(scratch / name, (0, 0))
    storage.sweep_scratch("ingest-", idle=50)
    assert [each.name for each in scratch.iterdir()] == ["ingest-b"]


def test_removing_takes_a_file_or_a_folder_and_minds_nothing_missing(
    storage: LocalStorage,
) -> None:
    for relative in ("a/b/c", "a/b/d", "a/e"):
        storage.path(relative).parent.mkdir(parents=True, exist_ok=True)
        storage.path(relative).touch()
    storage.remove("a/b/c")
    assert not storage.path("a/b/c").exists()
    storage.remove("a/b/c")
    storage.remove("a/b")
    assert [each.name for each in storage.path("a").iterdir()] == ["e"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_in_a_sentence(tmp_path: Path, number: int) -> None:
    def write() -> None:
        with disk_full_explained(tmp_path / "not" / "made" / "yet"):
            raise OSError(number, "full")

    with pytest.raises(
        UserActionError, match=r"is full \(\d+ MiB left\): free some space and retry"
    ):
        write()


def test_other_troubles_of_the_disk_stay_as_they_are(tmp_path: Path) -> None:
    def write() -> None:
        with disk_full_explained(tmp_path):
            raise PermissionError(errno.EACCES, "no")

    with pytest.raises(PermissionError):
        write()
