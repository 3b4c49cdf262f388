"""Template matching against a plain loop, patterns that explode elsewhere, a rematch of many.

    python -m benchmarks.matching [--names 10000] [--templates 50] [--recordings 100000]

Two peers try the same rules in turn, template after template, up to the first match: `loop` has
each rule compiled by Python's `re`; `tuned_loop` searches keywords as texts, folded beforehand, and
uses `re` for patterns alone. All answers must be equal. The matcher is timed from its
rules on, the first time in this process and again, when its automata are there. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

from benchmarks.matching_peers import Name, loop, tuned_loop
from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.engine import Database
from leap_pipeline.domain.matcher import Candidate, Matcher
from leap_pipeline.domain.matching import MatchingRules
from leap_pipeline.domain.shapes.base import parse
from leap_pipeline.services.matching import preview, rematch, template_created, template_deleted
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings

BORN = datetime(2026, 1, 1, tzinfo=UTC)
SUBJECTS = (
    "Машинное обучение|Линейная алгебра|Математический анализ|Теория вероятностей|Базы данных|"
    "Нейронные сети|Компьютерное зрение|Алгоритмы и структуры данных|Дискретная математика|"
    "Операционные системы|История искусств|Микроэкономика|Прикладная статистика|Философия|"
    "Machine Learning|Linear Algebra|Deep Learning|Computer Vision|Operating Systems|Databases|"
    "Algorithms|Data Structures|Natural Language Processing|Distributed Systems|Statistics|"
    "Organic Chemistry|Quantum Mechanics|Microeconomics|Art History|Compilers"
).split("|")
FORMS = "Лекция|Семинар|Консультация|Практика|Lecture|Seminar|Q&A|Workshop|Office hours".split("|")
GROUPS = ("БПМИ", "ФКН", "БЭК", "CS", "MATH", "ИУ7")


def make_names(count: int, pick: random.Random) -> list[Name]:
    """Distinct names, as lecturers write them."""

    def one() -> str:
        number, group = pick.randint(1, 32), f"{pick.choice(GROUPS)}-{pick.randint(101, 499)}"
        form, subject = pick.choice(FORMS), pick.choice(SUBJECTS)
        day = f"{pick.randint(1, 28):02}.{pick.randint(1, 12):02}.2026"
        shapes = (
            f"{form} {number}. {subject}, группа {group}",
            f"{subject} | {form} {number} | {day}",
            f"[{group}] {subject} — {form.lower()} №{number}",
            f"{day} {subject.upper()} {group} ({form})",
            f"{pick.choice(GROUPS)}{pick.randint(100, 499)} {form} {number}: {subject}",
            f"Zoom Meeting {pick.randint(10**8, 10**9)} {subject}",
            f"Встреча {group} {day}",
        )
        return pick.choice(shapes)

    found: dict[str, Name] = {}
    while len(found) < count:
        name = one()
        found[name] = Name(name, pick.choice((None, 1, 2, 3)))
    return list(found.values())


def make_templates(count: int, names: list[Name], pick: random.Random) -> list[Candidate]:
    """Two to five keywords each, most with patterns, some with excludes, sources, every kind."""

    def rules() -> dict[str, Any]:
        subject, other = pick.sample(SUBJECTS, 2)
        group, form = f"{pick.choice(GROUPS)}-{pick.randint(1, 4)}", pick.choice(FORMS)
        keywords = [
            f"{subject.lower()}, группа {group}",
            f"{group}{pick.randint(0, 9)}",
            f"{form} {pick.randint(1, 32)}: {other}",
            f"спецкурс {subject.lower()}",
            f"{other} advanced",
        ]
        patterns = [
            rf"^\[{group}\d+\] {subject}",
            rf"{form} \d+.*{subject}.*{group}",
            rf"{subject} \| {form} {pick.randint(1, 3)}\d \| \d\d\.0{pick.randint(1, 9)}\.\d+",
            rf"(лекция|lecture|семинар) №?{pick.randint(1, 3)}\d?\b.*{other}$",
        ]
        made: dict[str, Any] = {
            "keywords": pick.sample(keywords, pick.randint(2, 5)),
            "patterns": pick.sample(patterns, pick.choice((0, 1, 1, 2, 3))),
            "exact_matches": [pick.choice(names).text],
        }
        if pick.random() < 0.3:
            made["exclude_keywords"] = ["тест", "draft"]
            made["exclude_patterns"] = [r"\((копия|copy)( \d+)?\)$"]
        if pick.random() < 0.2:
            made["source_ids"] = [1, 2]
        if pick.random() < 0.1:
            made |= {"match_mode": "all", "exact_matches": [], "keywords": [subject, form]}
        if pick.random() < 0.1:
            made["case_sensitive"] = True
        parse(MatchingRules, made, "matching_rules")
        return made

    return [Candidate(at, BORN + timedelta(hours=at), rules(), f"{at}") for at in range(count)]


def matcher(candidates: list[Candidate], names: list[Name]) -> list[int | None]:
    first = Matcher(candidates).first
    found = (first(name.text, name.source_id) for name in names)
    return [each.id if each else None for each in found]


# What is measured


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of CPU, and what came of it."""
    begun = time.process_time()
    found = act()
    return time.process_time() - begun, found


def cpu(act: Callable[[], Any], repeat: int) -> float:
    """Seconds of CPU of the fastest of some tries: other work on the machine must not count."""
    return min(timed(act)[0] for _ in range(repeat))


def many_names(names_count: int, templates_count: int) -> dict[str, Any]:
    pick = random.Random(20261122)
    names = make_names(names_count, pick)
    candidates = make_templates(templates_count, names, pick)
    first_time, answers = timed(lambda: matcher(candidates, names))
    plain, plain_answers = timed(lambda: loop(candidates, names))
    assert answers == plain_answers == tuned_loop(candidates, names)
    ours = cpu(lambda: matcher(candidates, names), 5)
    tuned = cpu(lambda: tuned_loop(candidates, names), 2)
    rules: list[Any] = [each.rules for each in candidates]
    return {
        "names": len(names),
        "templates": len(candidates),
        "rules": sum(len(each) for rule in rules for each in rule.values() if type(each) is list),
        "matched": sum(each is not None for each in answers),
        "characters_a_name": statistics.median(len(each.text) for each in names),
        "matcher_first_time_s": round(first_time, 3),
        "matcher_s": round(ours, 3),
        "loop_s": round(plain, 2),
        "tuned_loop_s": round(tuned, 2),
        "times_faster_than_the_loop_first_time": round(plain / first_time, 1),
        "times_faster_than_the_loop": round(plain / ours, 1),
        "times_faster_than_the_tuned_loop": round(tuned / ours, 1),
    }


def explosive(pattern: str = "(a+)+$") -> dict[str, Any]:
    """Microseconds a name: ours at any length, `re` doubling with each character."""
    trap = Matcher([Candidate(1, BORN, {"patterns": [pattern]})])
    ours: dict[str, dict[str, float]] = {"aaa": {}, "aaa!": {}}
    for length in (30, 100, 499):
        for end, shown in (("", "aaa"), ("!", "aaa!")):
            name = "a" * length + end
            assert (trap.first(name, None) is not None) is (end == "")
            spent = cpu(lambda name=name: [trap.first(name, None) for _ in range(1000)], 5)  # type: ignore[misc]
            ours[shown][str(length)] = round(spent * 1000, 2)
    compiled = re.compile(pattern)
    lengths = (14, 16, 18, 20, 22)
    theirs = {
        length: cpu(lambda length=length: compiled.search("a" * length + "!"), 1) * 1e6  # type: ignore[misc]
        for length in lengths
    }
    growth = (theirs[22] / theirs[16]) ** (1 / 6)
    return {
        "pattern": pattern,
        "ours_us": ours,
        "re_us": {f"{length}": round(spent) for length, spent in theirs.items()},
        "re_grows_a_character": round(growth, 2),
        "re_at_30_would_take_s": round(theirs[22] * growth**8 / 1e6),
    }


def rematch_of_many(count: int) -> dict[str, Any]:
    """One user's recordings, half of which change their template."""
    with tempfile.TemporaryDirectory(prefix="leap-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = Settings(home=Path(folder) / "home")
        try:
            return _rematch(Database(prepare(settings), pooled=True), count)
        finally:
            EmbeddedServer(settings).stop()


def _rematch(database: Database, count: int) -> dict[str, Any]:
    with database.system() as session:
        user = add_user(session, "bench@leap.example").id
    with database.tenant(user) as session:
        session.execute(
            text(
                "INSERT INTO recordings (user_id, display_name, start_time, duration) SELECT :user,"
                " (ARRAY['Лекция ', 'Семинар ', 'Lecture ', 'Практика '])[1 + i % 4] || i ||"
                " ' по машинному обучению', now(), 5400 FROM generate_series(1, :count) AS i"
            ),
            {"user": user, "count": count},
        )
        template = session.scalar(
            text(
                "INSERT INTO recording_templates (user_id, name, matching_rules) VALUES"
                """ (:user, 'x', '{"patterns": ["^лекция \\\\d+"], "keywords": ["семинар"]}')"""
                " RETURNING id"
            ),
            {"user": user},
        )
    with database.lock_connection() as connection:
        connection.execute("ANALYZE")

    def spent(act: Callable[..., Any], **given: Any) -> dict[str, float]:
        begun, own = time.monotonic(), time.process_time()
        with database.tenant(user) as session:
            server = psutil.Process(session.scalar(text("SELECT pg_backend_pid()")))
            before = server.cpu_times().user + server.cpu_times().system
            act(session, user, template_id=template, **given)
            after = server.cpu_times().user + server.cpu_times().system
        busy = time.process_time() - own + after - before
        return {"cpu_s": round(busy, 1), "wall_s": round(time.monotonic() - begun, 1)}

    figures = {
        "preview": spent(preview),
        "template_created": spent(template_created),
        "rematch_without_changes": spent(rematch),
    }
    with database.tenant(user) as session:
        session.execute(
            text(
                "UPDATE recording_templates SET"
                """ matching_rules = '{"keywords": ["семинар", "lecture"]}'"""
            )
        )
    figures["rematch_with_other_rules"] = spent(rematch)
    figures["template_deleted"] = spent(template_deleted)
    database.dispose()
    return {"recordings": count, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=10_000)
    parser.add_argument("--templates", type=int, default=50)
    parser.add_argument("--recordings", type=int, default=100_000, help="0: no database")
    given = parser.parse_args()
    result: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "host": os.uname().machine},
        "many_names": many_names(given.names, given.templates),
        "explosive": explosive(),
    }
    if given.recordings:
        result["one_users_recordings"] = rematch_of_many(given.recordings)
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
