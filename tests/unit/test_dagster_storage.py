"""What Dagster stores has no secrets, and is otherwise what it was."""

from __future__ import annotations

import logging
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events.log import EventLogEntry
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo

from leap_pipeline.orchestration.dagster_storage import redacted

S = "Kanarienvogel"


def failure(said: str) -> SerializableErrorInfo:
    cause = SerializableErrorInfo(f"ValueError: {said}\n", [f"  in f({said!r})\n"], "ValueError")
    return SerializableErrorInfo("RuntimeError: outer\n", [], "RuntimeError", cause)


def tick(said: str) -> TickData:
    return TickData(
        "origin", "sensor", InstigatorType.SENSOR, TickStatus.FAILURE, 1.5, error=failure(said)
    )


def heartbeat(said: str) -> DaemonHeartbeat:
    return DaemonHeartbeat(1.5, "SENSOR", "daemon", [failure(said)])


def message(said: str) -> EventLogEntry:
    return EventLogEntry(  # type: ignore[no-untyped-call]
        None, logging.INFO, said, "run", 1.5, "step", "job", None
    )


@pytest.mark.parametrize("make", [tick, heartbeat, message])
def test_a_secret_goes_and_the_rest_stays(make: Any) -> None:
    assert redacted(make(f"password={S} at db")) == make("password=*** at db")
    clean = make("nothing to hide at db:5432")
    assert redacted(clean) is clean


def test_metadata_of_a_secrets_name_is_hidden() -> None:
    seen = dg.AssetMaterialization("a", metadata={"api_key": S, "words": 1200, "token": S})
    clean = redacted(seen)
    assert S not in repr(clean)
    assert clean.metadata["words"].value == 1200
    assert clean.metadata["api_key"].value == "***"
