"""What a broken constraint means, in a sentence."""

from __future__ import annotations

import re

from psycopg import errors
from sqlalchemy.exc import IntegrityError

from leap_pipeline.errors import InputError, LeapError

# As the triggers of `same_tenant` word it.
NO_PARENT = re.compile(r"^(?P<where>[\w.]+): there is no (?P<id>.+) in (?P<table>\w+)$")
THINGS = {
    "input_sources": "source",
    "recording_templates": "template",
    "output_presets": "preset",
    "user_credentials": "credential",
    "recordings": "recording",
}
TAKEN = {
    "unique_user_template_name": "This name is taken by another template: choose another one.",
    "unique_user_preset_name": "This name is taken by another preset: choose another one.",
    "unique_user_job_name": "This name is taken by another automation: choose another one.",
    "uq_input_sources_user_name_type_credential": (
        "There is a source of this name with the same credential: choose another name."
    ),
    "unique_user_platform_account": (
        "There is a credential of this account already: change that one, or name another account."
    ),
    "uq_source_metadata_user_key": "This recording of the source is already there.",
    "users_email_key": "There is a user with this address already.",
}


def refusal(error: IntegrityError, thing: str) -> LeapError:
    """For a person; the database's own words stay in the chain."""
    cause = error.orig
    if not isinstance(cause, errors.IntegrityError):
        return InputError(f"The {thing} could not be stored.")
    name = cause.diag.constraint_name or ""
    if isinstance(cause, errors.UniqueViolation):
        return InputError(TAKEN.get(name, f"There is such a {thing} already."))
    if isinstance(cause, errors.ForeignKeyViolation):
        return InputError(_no_parent(cause, thing))
    if isinstance(cause, errors.NotNullViolation):
        return InputError(f"A {thing} needs {cause.diag.column_name}: give it.")
    return InputError(f"The {thing} breaks the rule {name}.")


def _no_parent(cause: errors.ForeignKeyViolation, thing: str) -> str:
    found = NO_PARENT.match(cause.diag.message_primary or "")
    if found is None:
        return f"The {thing} is in use, or names something that is not there."
    parent = THINGS.get(found["table"], found["table"])
    return f"There is no {parent} {found['id']}, which {found['where']} names: choose another one."
