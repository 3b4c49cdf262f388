"""What must hold of every recording at every moment, read with SQL of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.deletion import DELETION_MOVES
from leap_pipeline.domain.states import (
    DOWNLOAD_MOVES,
    HOLD_MOVES,
    RUN_MOVES,
    STAGE_MOVES,
    TARGET_MOVES,
)

# Each stored machine: its table, the SQL that tells a row's state, and its moves.
MACHINES: dict[str, tuple[str, str, Mapping[Any, Mapping[Any, str]]]] = {
    "stage": ("processing_stages", "{0}.status", STAGE_MOVES),
    "target": ("output_targets", "{0}.status", TARGET_MOVES),
    "download": ("recordings", "{0}.download_status", DOWNLOAD_MOVES),
    "run": ("recording_runs", "{0}.state", RUN_MOVES),
    "deletion": ("recordings", "{0}.delete_state", DELETION_MOVES),
    "hold": (
        "recording_holds",
        "(CASE WHEN {0}.released_at IS NULL THEN 'live' ELSE 'released' END)",
        HOLD_MOVES,
    ),
}
ORDER = ["TRIM", "TRANSCRIBE", "EXTRACT_TOPICS", "GENERATE_SUBTITLES", "YOUTUBE", "VK"]
LIVE = ("queued", "running", "waiting")


def install_witness(database: Database) -> None:
    """Have the server itself note every change of a state, whichever code made it."""
    with database.lock_connection() as connection:
        connection.execute("CREATE TABLE witnessed (machine text, was text, became text)")
        connection.execute("GRANT ALL ON witnessed TO PUBLIC")
        for name, (table, state, _) in MACHINES.items():
            old, new = state.format("OLD"), state.format("NEW")
            connection.execute(
                f"CREATE FUNCTION witness_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF {old} IS DISTINCT FROM {new} THEN "
                f"INSERT INTO witnessed VALUES ('{name}', {old}, {new}); END IF; RETURN NULL; "
                f"END $$"
            )
            connection.execute(
                f"CREATE TRIGGER witness_{name} AFTER UPDATE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION witness_{name}()"
            )


def witnessed(session: Session) -> set[tuple[str, str, str]]:
    """The changes since it was asked last."""
    found = session.execute(text("DELETE FROM witnessed RETURNING machine, was, became"))
    return {(machine, was, became) for machine, was, became in found}


@dataclass(frozen=True)
class Snapshot:
    recording: dict[str, Any]
    stages: dict[str, dict[str, Any]]
    targets: dict[str, dict[str, Any]]
    runs: list[dict[str, Any]]
    moves: set[tuple[str, str, str]]

    @property
    def is_tombstone(self) -> bool:
        """Deleted for good, a recording forgets the reasons of its failures."""
        return bool(self.recording["delete_state"] == "hard_deleted")

    @property
    def live(self) -> dict[str, list[str]]:
        """The states of the live rows of each piece of work; `prepare` or a platform."""
        found: dict[str, list[str]] = {}
        for run in self.runs:
            if run["state"] in LIVE:
                found.setdefault(run["target_type"] or "prepare", []).append(run["state"])
        return found


def snapshot(database: Database, recording: int) -> Snapshot:
    def rows(table: str, key: str = "recording_id") -> list[dict[str, Any]]:
        statement = text(f"SELECT * FROM {table} WHERE {key} = :id ORDER BY id")
        return [dict(row) for row in session.execute(statement, {"id": recording}).mappings()]

    with database.system() as session:
        (row,) = rows("recordings", "id")
        return Snapshot(
            recording=row,
            stages={stage["stage_type"]: stage for stage in rows("processing_stages")},
            targets={target["target_type"]: target for target in rows("output_targets")},
            runs=rows("recording_runs"),
            moves=witnessed(session),
        )


def check(found: Snapshot) -> None:
    """Every rule that no event may break."""
    for machine, was, became in found.moves:
        assert became in MACHINES[machine][2].get(was, {}), f"{machine}: {was} became {became}"
    _check_parts(found)
    _check_runs(found)
    assert found.recording["status"] == expected_status(found)
    _check_failure(found)
    deleted = found.recording["delete_state"] != "active"
    assert found.recording["deleted"] is deleted
    for column in ("deleted_at", "deletion_reason", "soft_deleted_at", "hard_delete_at"):
        assert (found.recording[column] is not None) is deleted


def _check_parts(found: Snapshot) -> None:
    for part in (*found.stages.values(), *found.targets.values()):
        failed = part["status"] == "FAILED"
        assert part["failed"] is (part["failed_at"] is not None) is failed
        assert (part["failed_reason"] is not None) is failed or found.is_tombstone
        assert part["retry_count"] > 0 or not failed
    for stage in found.stages.values():
        assert stage["status"] in STAGE_MOVES
        assert (stage["completed_at"] is not None) is (stage["status"] == "COMPLETED")
        assert (stage["skip_reason"] is not None) is (stage["status"] == "SKIPPED")
    for target in found.targets.values():
        assert target["status"] in TARGET_MOVES
        there = {"UPLOADED": [True], "NOT_UPLOADED": [False]}.get(target["status"], [True, False])
        assert (target["uploaded_at"] is not None) in there
    assert found.recording["download_status"] in DOWNLOAD_MOVES
    loaded = found.recording["download_status"] == "COMPLETED"
    assert (found.recording["downloaded_at"] is not None) is loaded


def _check_runs(found: Snapshot) -> None:
    for run in found.runs:
        assert run["state"] in RUN_MOVES
        assert (run["finished_at"] is not None) is (run["state"] not in LIVE)
        assert (run["due_at"] is not None) or run["state"] != "waiting"
    live = found.live
    assert all(len(states) == 1 for states in live.values())
    begun = [found.recording["download_status"]] + [s["status"] for s in found.stages.values()]
    if "IN_PROGRESS" in begun:
        assert live.get("prepare") == ["running"], "in progress, and nobody is on it"
    for platform, target in found.targets.items():
        assert target["status"] != "UPLOADING" or platform in live, "no run for what is uploading"


def expected_status(found: Snapshot) -> str:
    """The design's list, line by line: the first that holds."""
    recording, download = found.recording, found.recording["download_status"]
    stages = [stage["status"] for stage in found.stages.values()]
    targets = [target["status"] for target in found.targets.values()]
    lines = [
        (recording["skip_reason"] is not None, "SKIPPED"),
        (download == "PENDING_SOURCE", "PENDING_SOURCE"),
        ("IN_PROGRESS" in stages, "PROCESSING"),
        ("UPLOADING" in targets, "UPLOADING"),
        (download == "IN_PROGRESS", "DOWNLOADING"),
        ("FAILED" in [download, *stages, *targets], "FAILED"),
        (download != "COMPLETED", "INITIALIZED"),
        ("PENDING" in stages and not {"COMPLETED", "SKIPPED"} & {*stages}, "DOWNLOADED"),
        ("PENDING" in stages, "PROCESSING"),
        (not targets or "NOT_UPLOADED" in targets, "PROCESSED"),
    ]
    return next((status for holds, status in lines if holds), "READY")


def _check_failure(found: Snapshot) -> None:
    """The failed columns mirror the earliest failure, and are empty where nothing is FAILED."""
    row = found.recording
    told = (row["failed_at_stage"], row["failed_at"], row["failed_reason"])
    failed = row["status"] == "FAILED"
    assert row["failed"] is failed
    if not failed:
        assert told == (None, None, None)
    elif row["download_status"] == "FAILED":
        assert told[0] == "DOWNLOAD"
        assert None not in told or found.is_tombstone
        assert row["retry_count"] > 0
    else:
        parts = {**found.stages, **found.targets}
        name = next(name for name in ORDER if name in parts and parts[name]["failed"])
        part = parts[name]
        assert told == (name, part["failed_at"], part["failed_reason"])
        assert row["retry_count"] == part["retry_count"]
