"""Who may do what."""

from __future__ import annotations

import pytest

from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import (
    CAPABILITIES,
    Permission,
    Rights,
    Role,
    require,
    require_admin,
    why_not,
)
from leap_pipeline.errors import UserActionError


def test_the_permissions_are_the_columns_of_users() -> None:
    columns = {column.name for column in User.__table__.columns if column.name[:4] == "can_"}
    assert set(Permission) == columns == set(CAPABILITIES)
    assert len(Permission) == 8


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
def test_each_is_asked_for_by_itself_of_admins_too(permission: Permission, role: Role) -> None:
    others = Rights(role, frozenset(Permission) - {permission})
    with pytest.raises(UserActionError, match=rf"^You may not .+ \({permission} is off\): ask an"):
        require(others, permission)
    assert why_not(others, permission) == (
        f"the owner may not {CAPABILITIES[permission]} ({permission} is off)"
    )
    only = Rights(role, frozenset({permission}))
    require(only, permission)
    assert why_not(only, permission) is None


def test_only_the_role_makes_an_admin() -> None:
    require_admin(Rights(Role.ADMIN, frozenset()))
    with pytest.raises(UserActionError, match="Only an admin may do this"):
        require_admin(Rights())
