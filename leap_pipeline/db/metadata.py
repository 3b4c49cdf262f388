"""All tables in one `MetaData`: importing this module registers every model."""

from __future__ import annotations

from leap_pipeline.db.base import Base
from leap_pipeline.db.models import (
    adoption,
    audit,
    automation,
    bulk,
    celery,
    inbox,
    notices,
    publishing,
    recordings,
    runs,
    subscriptions,
    templates,
    users,
)

MODEL_MODULES = (
    users,
    subscriptions,
    recordings,
    templates,
    automation,
    celery,
    inbox,
    runs,
    bulk,
    publishing,
    notices,
    audit,
    adoption,
)

metadata = Base.metadata
