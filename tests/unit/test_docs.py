"""Docs cannot rot: every setting, command, make target and asset is where people look for it.

To write docs/settings.md anew: python -m tests.unit.test_docs
"""

from __future__ import annotations

import re
from pathlib import Path

import typer

from leap_pipeline.cli import app
from leap_pipeline.domain.planner import Asset
from leap_pipeline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "docs" / "settings.md"
HEAD = """# Settings

Environment variables, read when a command, a run or a sensor asks for them. A relative path counts
from the working directory.

| variable | default | meaning |
|---|---|---|
"""


def settings_page() -> str:
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else str(field.default)
        shown = default.replace(str(ROOT), "the checkout")
        rows.append(f"| `LEAP_{name.upper()}` | {shown} | {field.description or ''} |")
    return HEAD + "\n".join(rows) + "\n"


def test_every_setting_has_a_description() -> None:
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_the_settings_page_is_current() -> None:
    assert SETTINGS.read_text() == settings_page()


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    leap = typer.main.get_group(app)
    context = typer.Context(leap)
    assert not [name for name in leap.list_commands(context) if f"leap {name}" not in readme]
    for group in ("db", "user", "credentials", "templates", "quota", "plan", "jobs", "dagster"):
        row = next(line for line in readme.splitlines() if f"`leap {group} " in line)
        found = getattr(leap.get_command(context, group), "commands", {})
        assert found
        assert not [name for name in found if name not in row]


def test_every_asset_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert not [asset for asset in Asset if asset not in readme]


def test_the_readme_names_only_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named <= targets


def test_every_link_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "samples" / "README.md"]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links {target}"


if __name__ == "__main__":
    SETTINGS.write_text(settings_page())
