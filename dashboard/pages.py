"""All pages of the console: where each stands, and who may see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from dashboard.session import Me
from dashboard.texts import mark
from leap_pipeline.domain.permissions import Permission


class Section(StrEnum):
    """Headings of the navigation, in their order."""

    WORK = mark("Work")
    SETUP = mark("Set up")
    ME = mark("My account")
    ADMIN = mark("Administration")


@dataclass(frozen=True)
class PageSpec:
    """`name` is the page's address; a hidden one is reached from others, not by the navigation."""

    name: str
    title: str
    section: Section
    show: Callable[[Me], None]
    permission: Permission | None = None
    admin: bool = False
    hidden: bool = False
    count: Callable[[Me], int] | None = None
    """A number behind the title in the navigation, where it is not 0."""

    def allows(self, me: Me) -> bool:
        if self.admin and not me.is_admin:
            return False
        return self.permission is None or me.may(self.permission)


@cache
def all_pages() -> tuple[PageSpec, ...]:
    """The first one is where everybody begins."""
    from dashboard.app_pages import (
        admin_audit,
        admin_configs,
        admin_overview,
        admin_plans,
        admin_system,
        admin_user,
        admin_users,
        admin_youtube,
        automation,
        connections,
        my_settings,
        my_usage,
        notices,
        presets,
        recording,
        recordings,
        sources,
        template,
        templates,
        thumbnails,
        upload,
    )

    return (
        PageSpec("recordings", mark("Recordings"), Section.WORK, recordings.show),
        PageSpec("recording", mark("Recording"), Section.WORK, recording.show, hidden=True),
        PageSpec("upload", mark("Upload"), Section.WORK, upload.show),
        PageSpec("templates", mark("Templates"), Section.SETUP, templates.show),
        PageSpec(
            "template",
            mark("Template"),
            Section.SETUP,
            template.show,
            permission=Permission.CREATE_TEMPLATES,
            hidden=True,
        ),
        PageSpec("presets", mark("Presets"), Section.SETUP, presets.show),
        PageSpec("thumbnails", mark("Thumbnails"), Section.SETUP, thumbnails.show),
        PageSpec("sources", mark("Sources"), Section.SETUP, sources.show),
        PageSpec(
            "connections",
            mark("Connections"),
            Section.SETUP,
            connections.show,
            permission=Permission.MANAGE_CREDENTIALS,
        ),
        PageSpec("automation", mark("Automation"), Section.WORK, automation.show),
        PageSpec("overview", mark("Overview"), Section.ADMIN, admin_overview.show, admin=True),
        PageSpec("users", mark("Users"), Section.ADMIN, admin_users.show, admin=True),
        PageSpec("user", mark("User"), Section.ADMIN, admin_user.show, admin=True, hidden=True),
        PageSpec("plans", mark("Plans"), Section.ADMIN, admin_plans.show, admin=True),
        PageSpec("youtube", mark("YouTube quota"), Section.ADMIN, admin_youtube.show, admin=True),
        PageSpec(
            "configs", mark("Base configurations"), Section.ADMIN, admin_configs.show, admin=True
        ),
        PageSpec("audit", mark("Audit log"), Section.ADMIN, admin_audit.show, admin=True),
        PageSpec("system", mark("System"), Section.ADMIN, admin_system.show, admin=True),
        PageSpec(
            "notices",
            mark("Notices"),
            Section.ME,
            notices.show,
            count=lambda me: me.who.unread,
        ),
        PageSpec("my_usage", mark("My usage"), Section.ME, my_usage.show),
        PageSpec("my_settings", mark("My settings"), Section.ME, my_settings.show),
    )


def page_named(name: str) -> PageSpec:
    return next(page for page in all_pages() if page.name == name)
