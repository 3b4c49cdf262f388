"""What a user configures: templates, sources, presets, automations and base configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Select, or_
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.interfaces import ORMOption

from leap_pipeline.db.models.automation import AutomationJob
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.db.models.runs import RecordingHold, RecordingRun
from leap_pipeline.db.models.templates import InputSource, OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import BaseConfig
from leap_pipeline.db.repositories.base import Reader, Repository
from leap_pipeline.db.repositories.pages import Sort

BY_NAME = {"name": Sort("name"), "newest": Sort("created_at", descending=True)}
BY_TIME = {"newest": Sort("created_at", descending=True), "oldest": Sort("created_at")}
TIMES = frozenset({"created_at", "updated_at"})


@dataclass(frozen=True)
class TemplateFilter:
    """None does not ask. `usable` are those by which recordings are matched."""

    usable: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        row = RecordingTemplate
        usable = row.is_active.is_not(False) & row.is_draft.is_not(True)
        return [] if self.usable is None else [usable if self.usable else ~usable]


@dataclass(frozen=True)
class AccountFilter:
    """Sources by `kind` (source_type), presets by `kind` (platform)."""

    active: bool | None = None
    kind: str | None = None
    credential_id: int | None = None


@dataclass(frozen=True)
class JobFilter:
    enabled: bool | None = None
    template_id: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        said: list[ColumnElement[bool]] = []
        if self.enabled is not None:
            said.append(AutomationJob.enabled.is_(self.enabled))
        if self.template_id is not None:
            said.append(AutomationJob.template_id == self.template_id)
        return said


class Templates(Repository[RecordingTemplate]):
    model = RecordingTemplate
    thing = "template"
    kept = TIMES
    sorts: ClassVar[Mapping[str, Sort]] = BY_NAME
    default_sort = "name"


class _Accounts(Repository[Any]):
    kept = TIMES
    sorts: ClassVar[Mapping[str, Sort]] = BY_NAME
    default_sort = "name"
    kind_column: ClassVar[str]

    def listing(self) -> Sequence[ORMOption]:
        return (joinedload(self.model.credential),)

    def conditions(self, criteria: AccountFilter | None) -> Sequence[Any]:
        if criteria is None:
            return ()
        said: list[Any] = []
        if criteria.active is not None:
            said.append(self.model.is_active.is_(criteria.active))
        if criteria.kind is not None:
            said.append(getattr(self.model, self.kind_column) == criteria.kind)
        if criteria.credential_id is not None:
            said.append(self.model.credential_id == criteria.credential_id)
        return said


class Sources(_Accounts, Repository[InputSource]):
    """Where recordings come from; `last_sync_at` is written by the sync."""

    model = InputSource
    thing = "source"
    kept = TIMES | {"last_sync_at"}
    kind_column = "source_type"


class Presets(_Accounts, Repository[OutputPreset]):
    """How a platform is published to."""

    model = OutputPreset
    thing = "preset"
    kind_column = "platform"


class AutomationJobs(Repository[AutomationJob]):
    """Scheduled work; how it went is written by who runs it."""

    model = AutomationJob
    thing = "automation"
    kept = TIMES | {"last_run_at", "last_run_status", "last_run_error"}
    sorts: ClassVar[Mapping[str, Sort]] = BY_NAME
    default_sort = "name"

    def listing(self) -> Sequence[ORMOption]:
        return (joinedload(AutomationJob.template),)


class BaseConfigs(Repository[BaseConfig]):
    """A user's own ones, and to read those of all; the latter are written in the system's scope."""

    model = BaseConfig
    thing = "base configuration"
    kept = TIMES
    sorts: ClassVar[Mapping[str, Sort]] = BY_NAME
    default_sort = "name"

    def _scoped(self, query: Select[Any]) -> Select[Any]:
        if self.user_id is None:
            return query
        return query.where(or_(BaseConfig.user_id.is_(None), *self._mine()))

    def owner(self) -> str | None:  # type: ignore[override]
        """None, for all users, in the system's scope."""
        return self.user_id


class Targets(Reader[OutputTarget]):
    """Where recordings are published; written by the services that move them."""

    model = OutputTarget
    thing = "target"
    sorts: ClassVar[Mapping[str, Sort]] = BY_TIME
    default_sort = "newest"

    def listing(self) -> Sequence[ORMOption]:
        return (joinedload(OutputTarget.preset),)


class Runs(Reader[RecordingRun]):
    """The history of work."""

    model = RecordingRun
    thing = "run"
    sorts: ClassVar[Mapping[str, Sort]] = BY_TIME
    default_sort = "newest"


class Holds(Reader[RecordingHold]):
    model = RecordingHold
    thing = "hold"
    sorts: ClassVar[Mapping[str, Sort]] = BY_TIME
    default_sort = "newest"
