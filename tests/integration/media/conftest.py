from pathlib import Path

import pytest

from tests.support.clips import Pattern, make_clip

LECTURE: Pattern = (
    ("silence", 3.0),
    ("speech", 2.2),
    ("silence", 2.53),
    ("speech", 1.7),
    ("click", 4.0),
    ("speech", 1.11),
    ("silence", 3.0),
)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the clips that are made once; tests write elsewhere."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def lecture(clips: Path) -> Path:
    """Speech with silence before, between (once with a click in it) and after."""
    return make_clip(clips / "lecture.mp4", pattern=LECTURE)


@pytest.fixture(scope="session")
def pattern() -> Pattern:
    """What `lecture` is made of."""
    return LECTURE
