"""Imports run one way: orchestration → assets → resources → services → models."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TREES = ("leap_pipeline", "assets", "resources", "dashboard", "migrations")

# What the modules under a prefix may import of ours; the longest prefix that fits counts.
ALLOWED: dict[str, tuple[str, ...]] = {
    "leap_pipeline.errors": (),
    "leap_pipeline.settings": (),
    "leap_pipeline.progress": (),
    "leap_pipeline.domain": ("leap_pipeline.domain", "leap_pipeline.errors"),
    "leap_pipeline.processes": ("leap_pipeline.errors",),
    "leap_pipeline.runtime_files": ("leap_pipeline.errors", "leap_pipeline.settings"),
    "leap_pipeline.redaction": ("leap_pipeline.errors",),
    "leap_pipeline.logs": ("leap_pipeline.redaction",),
    "leap_pipeline.media": ("leap_pipeline.media",),
    "leap_pipeline.speech": ("leap_pipeline.speech",),
    "leap_pipeline.topics": ("leap_pipeline.topics", "leap_pipeline.speech"),
    "leap_pipeline.subtitles": ("leap_pipeline.subtitles", "leap_pipeline.speech"),
    "leap_pipeline.storage": ("leap_pipeline.storage",),
    "leap_pipeline.security": ("leap_pipeline.security",),
    "leap_pipeline.web": ("leap_pipeline.web",),
    "leap_pipeline.oauth": ("leap_pipeline.oauth", "leap_pipeline.web"),
    "leap_pipeline.sources": (
        "leap_pipeline.sources",
        "leap_pipeline.web",
        "leap_pipeline.oauth",
    ),
    "leap_pipeline.publishing": ("leap_pipeline.publishing", "leap_pipeline.web"),
    "leap_pipeline.db": ("leap_pipeline.db",),
    "leap_pipeline.supervisor": ("leap_pipeline.supervisor", "leap_pipeline.db"),
    "leap_pipeline.services": (
        "leap_pipeline.services",
        "leap_pipeline.db",
        "leap_pipeline.storage",
        "leap_pipeline.security",
        "leap_pipeline.sources",
        "leap_pipeline.publishing",
        "leap_pipeline.oauth",
        "leap_pipeline.web",
        "leap_pipeline.media",
        "leap_pipeline.speech",
        "leap_pipeline.topics",
        "leap_pipeline.subtitles",
    ),
    "leap_pipeline.adoption": (
        "leap_pipeline.adoption",
        "leap_pipeline.db",
        "leap_pipeline.security",
        "leap_pipeline.services",
        "leap_pipeline.storage",
    ),
    "leap_pipeline.commands": ("leap_pipeline",),
    "leap_pipeline.cli": ("leap_pipeline",),
    "leap_pipeline.__main__": ("leap_pipeline",),
    "resources": ("resources", "leap_pipeline"),
    "assets": ("assets", "resources", "leap_pipeline"),
    "leap_pipeline.orchestration": ("leap_pipeline", "assets", "resources"),
    "dashboard": ("dashboard", "leap_pipeline"),
    "migrations": ("migrations", "leap_pipeline.db", "leap_pipeline.settings"),
}
COMMON = (
    "leap_pipeline.errors",
    "leap_pipeline.settings",
    "leap_pipeline.progress",
    "leap_pipeline.domain",
    "leap_pipeline.processes",
    "leap_pipeline.runtime_files",
    "leap_pipeline.redaction",
)
# Only the roof and what hangs directly on Dagster may import it when they are imported.
DAGSTER_TREES = ("leap_pipeline.orchestration", "assets", "resources")


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _modules() -> list[Path]:
    return sorted(path for tree in TREES for path in (ROOT / tree).rglob("*.py"))


def _within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


@cache
def _imports(path: Path, *, top_level: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _allowed(module: str) -> tuple[str, ...]:
    fits = [prefix for prefix in ALLOWED if _within(module, prefix)]
    assert fits, f"{module} belongs to no tree of the house: give it its place in ALLOWED"
    prefix = max(fits, key=len)
    base = (
        ()
        if prefix in ("leap_pipeline.errors", "leap_pipeline.settings", "leap_pipeline.domain")
        else COMMON
    )
    return ALLOWED[prefix] + base


@pytest.mark.parametrize("path", _modules(), ids=_module)
def test_imports_run_one_way(path: Path) -> None:
    module = _module(path)
    if module == "leap_pipeline":
        return
    ours = {name for name in _imports(path) if name.split(".")[0] in TREES}
    wrong = {name for name in ours if not any(_within(name, prefix) for prefix in _allowed(module))}
    assert not wrong, f"{module} may not import {sorted(wrong)}"


@pytest.mark.parametrize("path", _modules(), ids=_module)
def test_nobody_imports_the_roof(path: Path) -> None:
    module = _module(path)
    if _within(module, "leap_pipeline.orchestration"):
        return
    roof = {name for name in _imports(path) if _within(name, "leap_pipeline.orchestration")}
    assert not roof, f"{module} imports {sorted(roof)}"


@pytest.mark.parametrize("path", _modules(), ids=_module)
def test_the_product_can_be_imported_without_dagster_and_streamlit(path: Path) -> None:
    module = _module(path)
    if any(_within(module, tree) for tree in (*DAGSTER_TREES, "dashboard")):
        return
    heavy = {
        name
        for name in _imports(path, top_level=True)
        if name.split(".")[0] in ("dagster", "streamlit")
    }
    assert not heavy, f"{module} imports {sorted(heavy)} when it is imported"


def test_every_init_is_empty() -> None:
    full = [
        _module(path) for path in _modules() if path.name == "__init__.py" and path.stat().st_size
    ]
    assert not full
