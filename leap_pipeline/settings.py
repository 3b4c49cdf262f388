"""Every setting of LEAP in one place, read from the environment (`LEAP_…`) when asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """One reading of the environment; immutable, cheap to make again."""

    model_config = SettingsConfigDict(env_prefix="LEAP_", frozen=True, extra="ignore")

    home: Path = Field(
        default=CHECKOUT / ".leap",
        description="Folder of the embedded server, local storage, keys and runtime state.",
    )
    database_url: str | None = Field(
        default=None,
        repr=False,  # holds a password
        description="The application's PostgreSQL 12+; unset means the embedded server.",
    )
    migration_url: str | None = Field(
        default=None,
        repr=False,  # holds a password
        description="Connection that owns the schema and migrates it; default: the application's.",
    )
    dagster_database_url: str | None = Field(
        default=None,
        repr=False,  # holds a password
        description="Dagster's database; default: the same server, `<name>_dagster`.",
    )
    encryption_keys: SecretStr | None = Field(
        default=None,
        description=(
            "Keys of stored credentials, separated by commas: the first writes, all read; "
            "default: the file `<home>/encryption.keys`, made at the first start."
        ),
    )
    postgres_data: Path | None = Field(
        default=None,
        description="Data folder of the embedded server; default: `<home>/postgres`.",
    )
    storage_root: Path | None = Field(
        default=None, description="Root of the local storage; default: `<home>/storage`."
    )
    whisper_model: str = Field(
        default="tiny.en",
        description="Local speech model: `tiny.en` (shipped), another name, or a folder.",
    )
    whisper_threads: int = Field(default=0, ge=0, description="0 = one per core.")
    blank_max_seconds: int = Field(
        default=20 * 60, description="Shorter recordings are blank, in seconds."
    )
    blank_max_bytes: int = Field(
        default=25 * 1024 * 1024, description="Smaller recordings are blank, in bytes."
    )
    zoom_api_url: str = Field(default="https://api.zoom.us/v2", description="Zoom's REST API.")
    zoom_oauth_url: str = Field(
        default="https://zoom.us/oauth", description="Where Zoom gives out tokens."
    )
    zoom_client_id: str | None = Field(
        default=None, description="LEAP's own app at Zoom, through which users connect accounts."
    )
    zoom_client_secret: SecretStr | None = Field(default=None, description="The app's secret.")
    zoom_webhook_secret: SecretStr | None = Field(
        default=None, description="The app's secret token, by which Zoom signs webhooks."
    )
    zoom_rate_plan: Literal["free", "pro", "business"] = Field(
        default="pro", description="Zoom's plan of the accounts, which says how often it answers."
    )
    public_url: str = Field(
        default="http://localhost:8501",
        description=(
            "Where browsers reach LEAP; platforms send people back to "
            "`<public_url>/oauth/<platform>/callback`."
        ),
    )
    google_client_id: str | None = Field(
        default=None, description="LEAP's own app at Google, through which users connect YouTube."
    )
    google_client_secret: SecretStr | None = Field(default=None, description="The app's secret.")
    google_auth_url: str = Field(
        default="https://accounts.google.com/o/oauth2/v2/auth",
        description="Where people log in at Google.",
    )
    google_token_url: str = Field(
        default="https://oauth2.googleapis.com",
        description="Where Google gives out tokens (`/token`) and ends them (`/revoke`).",
    )
    youtube_api_url: str = Field(
        default="https://youtube.googleapis.com", description="The YouTube Data API."
    )
    youtube_inserts_a_day: int = Field(
        default=100, ge=1, description="Videos that a project at Google may upload on one day."
    )
    youtube_units_a_day: int = Field(
        default=10_000, ge=1, description="Units that all its other calls may cost on one day."
    )
    vk_client_id: str | None = Field(
        default=None, description="LEAP's own app at VK, through which users connect accounts."
    )
    vk_id_url: str = Field(
        default="https://id.vk.com", description="VK ID: where people log in, and its tokens."
    )
    vk_oauth_url: str = Field(
        default="https://oauth.vk.com", description="Where people log in for VK's implicit flow."
    )
    vk_api_url: str = Field(default="https://api.vk.com/method", description="VK's API.")
    vk_larger_files: bool = Field(
        default=False, description="Try files over 2 GB at VK, which documents no such upload."
    )
    poll_interval_minutes: int = Field(
        default=15, ge=1, description="Between two polls of a source that says nothing itself."
    )
    poll_budget_seconds: float = Field(
        default=40, gt=0, description="How long one tick may poll sources."
    )
    poll_workers: int = Field(default=16, ge=1, description="Sources that one tick polls at once.")
    lookback_days: int = Field(
        default=7, ge=0, description="Days that each sync reads again, for what finished late."
    )
    history_days: int = Field(
        default=30, ge=0, description="Days before its first sync from which a source is read."
    )
    download_max_bytes: int = Field(
        default=64 * 1024**3, ge=1, description="Larger files are refused, in bytes."
    )
    download_connections: int = Field(
        default=4, ge=1, description="Connections that one download may use where they help."
    )
    download_private_addresses: bool = Field(
        default=False,
        description="Let downloads reach loopback and private addresses; for tests only.",
    )
    mail_url: SecretStr | None = Field(
        default=None,
        description=(
            "Mail server of notices, as Apprise writes it: "
            "`mailtos://name:password@smtp.example.org?from=leap@example.org`; unset: no mail."
        ),
    )
    mirrored_jobs: int = Field(
        default=1000,
        ge=0,
        description="Automation jobs with a schedule of their own in Dagster; see docs/automation.",
    )
    code_server_port: int = Field(
        default=3001, description="Port of the code server of assets and sensors, on loopback."
    )
    automation_server_port: int = Field(
        default=3002, description="Port of the code server of the jobs' schedules, on loopback."
    )
    dagster_port: int = Field(default=3000, description="Port of Dagster's UI, on loopback.")
    console_port: int = Field(default=8501, description="Port of the console, on loopback.")
    max_concurrent_runs: int = Field(
        default=2, ge=1, description="Runs that Dagster works on at once on this machine."
    )
    max_attempts: int = Field(
        default=3, ge=1, description="Dead workers a piece of work may cost before it is FAILED."
    )
    session_days: int = Field(
        default=30, ge=1, description="Days without a page loaded after which a login ends."
    )
    session_grace_seconds: float = Field(
        default=30,
        ge=0,
        description="So long a rotated session token still works, for two tabs at once.",
    )

    @property
    def storage(self) -> Path:
        return self.storage_root or self.home / "storage"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"


def load_settings() -> Settings:
    """Read the environment now."""
    return Settings()


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child process: this one's, and `extra` on top."""
    return {**os.environ, **extra}
