"""What is of everybody: plans and global configurations; and the users themselves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leap_pipeline.adoption import accounts
from leap_pipeline.adoption.accounts import Plan
from leap_pipeline.adoption.coverage import say_unread
from leap_pipeline.adoption.outcome import Entry, Notes, Row, chunks, taken
from leap_pipeline.adoption.settings import base_config
from leap_pipeline.adoption.target import existing
from leap_pipeline.adoption.tenants import Move, take
from leap_pipeline.db.models.subscriptions import SubscriptionPlan
from leap_pipeline.db.models.users import USER_SLUG_SEQ, BaseConfig, User

BATCH = 500


def take_plans(move: Move) -> None:
    """Each plan becomes the one of its name here, any case; an unknown one is added."""
    with move.target.database.system() as session:
        ours = {row.name.lower(): row for row in session.scalars(select(SubscriptionPlan))}
        entries, added = [], []
        for row in move.source.everything("subscription_plans"):
            notes = Notes()
            same = ours.get(row["name"].lower())
            if same is None:
                [new_id] = move.target.new_ids(session, "subscription_plans", 1)
                added.append(accounts.new_plan(row, notes) | {"id": new_id})
                plan = Plan(new_id, row["name"], row["sort_order"])
            else:
                notes.say("stands for LEAP's plan", same.name)
                accounts.merged_plan(row, vars(same), notes)
                plan = Plan(same.id, same.name, same.sort_order or 0)
            say_unread("subscription_plans", row, notes)
            move.plans[row["id"]] = plan
            entries.append(taken("subscription_plans", row["id"], plan.new_id, notes))
        known = move.ledger.taken(session, "subscription_plans", list(move.plans))
        move.target.insert(session, SubscriptionPlan, added)
        move.ledger.write(session, [each for each in entries if each.old_key not in known])


def take_global_configs(move: Move) -> None:
    """They count for everybody, so beside users of other origin they come switched off."""
    rows = [row for row in move.source.everything("base_configs") if row["user_id"] is None]
    with move.target.database.system() as session:
        total = session.scalar(select(func.count()).select_from(User)) or 0
        ours = len(existing(session, User.id, list(move.users)))

        def mapper(row: Row, notes: Notes) -> dict[str, Any]:
            values = base_config(row, notes)
            if total > ours and values["is_active"]:
                notes.say("switched off", "it would count for users of other origin too")
                values["is_active"] = False
            return values

        take(move, session, rows, BaseConfig, mapper)


def take_users(move: Move, user_ids: list[str]) -> dict[str, tuple[int, int]]:
    """The storage folder's number of each user, there and here; users that were taken and have
    been deleted here since are not among them.
    """
    move.target.keep_free("user_slug_seq", move.source.highest("users", "user_slug"))
    slugs: dict[str, tuple[int, int]] = {}
    for some in chunks(user_ids, BATCH):
        with move.target.database.system() as session:
            rows = move.source.rows("users", "id", some)
            _take_users(move, session, rows)
            here = {
                user.id: user for user in session.scalars(select(User).where(User.id.in_(some)))
            }
            for row in rows:
                own = here.get(row["id"])
                if own is not None:
                    slugs[own.id] = (row["user_slug"], own.user_slug)
                    move.users[own.id] = own.timezone
                elif move.target.dry:
                    slugs[row["id"]] = (row["user_slug"], row["user_slug"])
    return slugs


def _take_users(move: Move, session: Session, rows: list[Row]) -> None:
    done = move.ledger.taken(session, "users", [row["id"] for row in rows])
    fresh = [row for row in rows if row["id"] not in done]
    addresses = _addresses(session, fresh)
    taken_slugs = existing(session, User.user_slug, [row["user_slug"] for row in fresh])
    written: list[dict[str, Any]] = []
    entries: list[Entry] = []
    for row in fresh:
        notes = Notes()
        slug = row["user_slug"]
        if slug in taken_slugs:
            slug = -slug if move.target.dry else session.scalar(USER_SLUG_SEQ)
        values = accounts.user(row, slug, addresses, notes)
        say_unread("users", row, notes)
        move.users[row["id"]] = values["timezone"]
        written.append(values)
        entries.append(taken("users", row["id"], row["id"], notes))
    move.target.insert(session, User, written)
    move.ledger.write(session, entries)


def _addresses(session: Session, rows: list[Row]) -> set[str]:
    """Addresses here, in lower case, with which those of the rows could clash."""
    names = {row["email"].strip().lower().partition("@")[0] for row in rows}
    found: set[str] = set()
    local = func.split_part(func.split_part(func.lower(User.email), "@", 1), "+", 1)
    for some in chunks(sorted({each.partition("+")[0] for each in names}), BATCH):
        found |= set(session.scalars(select(func.lower(User.email)).where(local.in_(some))))
    return found
