"""Who may do what: two roles and eight permissions, asked by the pipeline and the console alike.

The two do not replace each other. The role `admin` sees all tenants and manages users, plans,
quotas and global defaults; a permission gates one capability, for admins as for everybody else (an
admin who lacks one can grant it, and the audit log says so). In the pipeline the permissions of a
recording's owner count, in the console those of the person who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from leap_pipeline.errors import NotAllowed


class Permission(StrEnum):
    """The values are columns of `users`."""

    TRANSCRIBE = "can_transcribe"
    PROCESS_VIDEO = "can_process_video"
    UPLOAD = "can_upload"
    CREATE_TEMPLATES = "can_create_templates"
    DELETE_RECORDINGS = "can_delete_recordings"
    UPDATE_UPLOADED_VIDEOS = "can_update_uploaded_videos"
    MANAGE_CREDENTIALS = "can_manage_credentials"
    EXPORT_DATA = "can_export_data"


class Role(StrEnum):
    """The values of `users.role`."""

    USER = "user"
    ADMIN = "admin"


CAPABILITIES: Mapping[Permission, str] = {
    Permission.TRANSCRIBE: "transcribe",
    Permission.PROCESS_VIDEO: "process video",
    Permission.UPLOAD: "publish",
    Permission.CREATE_TEMPLATES: "create or change templates",
    Permission.DELETE_RECORDINGS: "delete recordings",
    Permission.UPDATE_UPLOADED_VIDEOS: "change videos that are already published",
    Permission.MANAGE_CREDENTIALS: "manage credentials",
    Permission.EXPORT_DATA: "export data",
}


@dataclass(frozen=True)
class Rights:
    """What one person may do; by default a user with every permission, as the columns have it."""

    role: Role = Role.USER
    permissions: frozenset[Permission] = frozenset(Permission)

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


NEW_USER = Rights()


def why_not(rights: Rights, permission: Permission) -> str | None:
    """The reason that the planner writes on a stage; None where it is permitted."""
    if rights.may(permission):
        return None
    return f"the owner may not {CAPABILITIES[permission]} ({permission} is off)"


def require(rights: Rights, permission: Permission) -> None:
    """Raise NotAllowed where the person lacks the permission."""
    if not rights.may(permission):
        doing = CAPABILITIES[permission]
        msg = f"You may not {doing} ({permission} is off): ask an admin to allow it."
        raise NotAllowed(msg)


def require_admin(rights: Rights) -> None:
    """Raise NotAllowed where the person is no admin."""
    if not rights.is_admin:
        msg = "Only an admin may do this: ask one."
        raise NotAllowed(msg)
