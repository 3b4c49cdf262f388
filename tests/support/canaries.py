"""A process that does with secrets what goes wrong in life, and says all that it says about it.

    python -m tests.support.canaries

LEAP_HOME and LEAP_DATABASE_URL name a home and a database with one user and one recording of hers,
whose partition is CANARY_PARTITION; CANARY is part of every secret that is planted here.
"""

import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from sqlalchemy import text

from assets.step import Made, Step, artifact, perform
from leap_pipeline import cli, logs
from leap_pipeline.commands.dagster_home import PARTITIONS, instance
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.db.urls import plain, resolve
from leap_pipeline.domain.credentials import ZoomServerToServer
from leap_pipeline.domain.planner import Asset
from leap_pipeline.errors import TransientError, UserActionError
from leap_pipeline.orchestration import definitions
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.credentials import Credentials
from leap_pipeline.services.work import Begun, Work
from leap_pipeline.settings import load_settings
from resources.leap import LeapResource

EMAIL = "owner@example.org"


def main() -> None:
    canary = os.environ["CANARY"]
    zoom = {"account_id": "acc", "client_id": "app", "client_secret": f"{canary}-zoom"}
    google = {"access_token": f"ya29.{canary}-go", "refresh_token": f"1//{canary}-go"}
    add = ("credentials", "add", "--user", EMAIL)
    leap(*add, "zoom", typed=json.dumps(zoom))
    leap(*add, "youtube", "--json", typed=json.dumps(google))
    leap("--debug", *add, "vk", typed=json.dumps({"acces_token": f"{canary}-vk"}))
    leap("--debug", *add, "vk", typed=json.dumps({"access_token": [f"{canary}-vk"]}))
    leap("--debug", *add, "vk", typed=f"{{'access_token': '{canary}-vk'}}")
    leap("--debug", *add, "deepseek", json.dumps({"api_key": f"{canary}-key"}))
    leap("--debug", "credentials", "list")
    leap("--debug", "credentials", "rotate")
    leap("--debug", "credentials", "rotate", "--json")
    plant_what_no_key_opens(canary)
    leap("--debug", "credentials", "list", "--json")
    leap("--debug", "doctor")
    leap("--debug", "status")
    url = os.environ["LEAP_DATABASE_URL"]
    wrong = url.replace(str(resolve(load_settings()).application.password), f"{canary}-password")
    with changed(LEAP_ENCRYPTION_KEYS=f"{canary}-keys,{canary}-keys2"):
        leap("--debug", "credentials", "list")
    for broken in (wrong, wrong.replace(f"{canary}-", f"{canary}/:@-"), f"nonsense {wrong}"):
        with changed(LEAP_DATABASE_URL=broken):
            leap("--debug", "status")
    fail_in_dagster()
    fail_in_logs()
    logs.install()  # again, for Typer put a hook of its own in place
    raise RuntimeError(failure(first_secret()))


def leap(*arguments: str, typed: str = "") -> None:
    sys.argv, sys.stdin = ["leap", *arguments], io.StringIO(typed)
    sys.stderr.write(f"\n$ {' '.join(arguments[:3])}\n")
    try:
        cli.main()
    except SystemExit as ended:
        sys.stderr.write(f"code {ended.code}\n")


@contextmanager
def changed(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def database() -> Database:
    return Database(resolve(load_settings()))


def owner() -> str:
    with database().system() as session:
        return str(session.scalar(text("SELECT id FROM users")))


def plant_what_no_key_opens(canary: str) -> None:
    elsewhere = load_settings().model_copy(update={"home": Path(os.environ["LEAP_HOME"], "other")})
    token = load_vault(elsewhere).encrypt({"api_key": f"{canary}-foreign"})
    with database().tenant(owner()) as session:
        session.add(UserCredential(user_id=owner(), platform="fireworks", encrypted_data=token))


def first_secret() -> str:
    """As an asset gets it: opened within the work that then fails."""
    vault: Vault = load_vault(load_settings())
    with database().tenant(owner()) as session:
        store = Credentials(session, owner(), vault)
        opened = store.open(store.views()[-1].id)
    assert isinstance(opened, ZoomServerToServer)
    return opened.client_secret.get_secret_value()


def failure(secret: str) -> str:
    url = plain(resolve(load_settings()).application)
    return f"{secret} was refused at https://zoom.us/x?access_token={secret} ({url})"


@artifact(Asset.RAW_VIDEO, description="Fails.", owner="media", kinds=set(), stage="download")
def raw_video(context: dg.AssetExecutionContext, leap: LeapResource) -> Iterator[Step]:
    def make(work: Work, begun: Begun, folder: Path) -> Made:
        secret = first_secret()
        context.log.info("Authorization: Bearer %s", secret)
        context.log_event(
            dg.AssetObservation(
                asset_key="raw_video",
                metadata={"access_token": secret, "note": secret, "at": dg.MetadataValue.url(
                    f"https://b.s3.amazonaws.com/k?X-Amz-Signature={secret}")},
            )
        )  # fmt: skip
        dg.get_dagster_logger().warning("said %s", secret)
        try:
            raise ValueError(secret)
        except ValueError as cause:
            kind = UserActionError if context.run.tags["kind"] == "user" else KeyError
            raise kind(failure(secret)) from cause

    yield from perform(context, leap, Asset.RAW_VIDEO, make)


@dg.op
def careless(context: dg.OpExecutionContext) -> Any:
    secret = first_secret()
    try:
        with database().system() as session:
            session.execute(text("SELECT 1 / :zero"), {"zero": 0, "token": secret})
            session.execute(text("SELECT * FROM nowhere WHERE x = :x"), {"x": secret})
    except Exception as cause:
        raise TransientError(failure(secret)) from cause


@dg.job
def carelessly() -> None:
    careless()


def fail_in_dagster() -> None:
    """In the instance of the home, whose events go to PostgreSQL."""
    settings = load_settings()
    partition = os.environ["CANARY_PARTITION"]
    job = dg.define_asset_job("prepare", selection="*")
    made = dg.Definitions(assets=[raw_video], jobs=[job], resources={"leap": LeapResource()})
    assert definitions.defs
    with instance(settings, resolve(settings)) as dagster:
        dagster.add_dynamic_partitions(PARTITIONS, [partition])
        for kind in ("user", "bug"):
            done = made.resolve_job_def("prepare").execute_in_process(
                instance=dagster,
                partition_key=partition,
                tags={"kind": kind, "leap/force": "trim"},
                raise_on_error=False,
            )
            assert not done.success
        assert not carelessly.execute_in_process(instance=dagster, raise_on_error=False).success


def fail_in_logs() -> None:
    """To a file, with the traceback of a chain, and the driver's own words."""
    secret = first_secret()
    file = logging.FileHandler(Path(os.environ["LEAP_HOME"]) / "logs" / "test.log")
    log = logging.getLogger("leap_pipeline.test")
    log.addHandler(file)
    logging.getLogger("sqlalchemy.engine").addHandler(file)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
    try:
        try:
            with database().system() as session:
                session.execute(
                    text("INSERT INTO users (id, email, hashed_password) VALUES (:id, :m, :p)"),
                    {"id": None, "m": secret, "p": f"$argon2id$v=19$m=1${secret}"},
                )
        except Exception as cause:
            raise RuntimeError(failure(secret)) from cause
    except RuntimeError:
        log.exception("%s at %s", failure(secret), datetime.now(UTC), extra={"a": 1})
    try:
        psycopg.connect(f"postgresql://u:{secret}@127.0.0.1:1/x?connect_timeout=1&bogus={secret}")
    except psycopg.Error:
        log.exception("no connection", stack_info=True)


if __name__ == "__main__":
    main()
