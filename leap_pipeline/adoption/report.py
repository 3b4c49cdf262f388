"""What became of every row, added up and in full; the counts are those of the source."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leap_pipeline.adoption.coverage import why_left
from leap_pipeline.adoption.ledger import Ledger
from leap_pipeline.adoption.outcome import Entry, Outcome, left, what_of
from leap_pipeline.adoption.source import Source
from leap_pipeline.adoption.target import Target
from leap_pipeline.errors import DataError


@dataclass
class TableReport:
    """`rows` of the source's table, by outcome; `whats` counts what was said of its rows."""

    rows: int
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    whats: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    entries: list[Entry] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            **{str(kind): self.outcomes[kind] for kind in Outcome},
            "notes": [
                {"outcome": str(kind), "what": what, "rows": count}
                for (kind, what), count in self.whats.most_common()
            ],
        }


@dataclass
class Report:
    """By table, in the order of names."""

    source: str
    dry: bool
    tables: dict[str, TableReport]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "dry_run": self.dry,
            "tables": {name: table.to_json() for name, table in self.tables.items()},
            "warnings": self.warnings,
        }

    def write(self, path: Path) -> None:
        """All of it with every row, as one JSON document."""
        rows = [
            {
                "table": each.table,
                "old_key": each.old_key,
                "new_key": each.new_key,
                "outcome": str(each.outcome),
                "note": each.note.split("\n") if each.note else [],
            }
            for table in self.tables.values()
            for each in table.entries
        ]
        document = json.dumps(self.to_json() | {"rows": rows}, ensure_ascii=False, indent=1)
        path.write_text(document + "\n", encoding="utf-8")

    def lines(self) -> Iterator[str]:
        """For people: a table of counts, then what was changed or left, the most frequent first."""
        width = max(map(len, self.tables), default=0)
        yield f"{'':{width}}  {'rows':>8} {'taken':>8} {'changed':>8} {'left':>8}"
        for name, table in self.tables.items():
            counts = " ".join(f"{table.outcomes[kind]:>8}" for kind in Outcome)
            yield f"{name:{width}}  {table.rows:>8} {counts}"
        for name, table in self.tables.items():
            for (kind, what), count in table.whats.most_common():
                yield f"{name}, {kind}: {count} × {what}"
        yield from (f"Mind: {each}" for each in self.warnings)


def made(source: Source, target: Target, ledger: Ledger, *, all_users: bool) -> Report:
    """Note the rows that nothing reached, then add everything up.

    Raises DataError where the sums are not those of the source.
    """
    tables = {
        name: _table(source, target, ledger, name, all_users=all_users) for name in source.keys
    }
    for name, table in tables.items():
        if sum(table.outcomes.values()) != table.rows:
            msg = f"{name} has {table.rows} rows and {sum(table.outcomes.values())} are reported."
            raise DataError(msg)
    return Report(source.name, target.dry, tables, [])


def _table(
    source: Source, target: Target, ledger: Ledger, name: str, *, all_users: bool
) -> TableReport:
    keys: Mapping[str, bool] = dict(source.row_keys(name))
    with target.database.system() as session:
        known = {each.old_key: each for each in ledger.entries(session, name)}
        unreached = [
            left(name, key, why_left(name, unowned=unowned, all_users=all_users))
            for key, unowned in keys.items()
            if key not in known
        ]
        ledger.write(session, unreached)
    known |= {each.old_key: each for each in unreached}
    found = TableReport(source.count(name), entries=[known[key] for key in keys])
    for each in found.entries:
        found.outcomes[each.outcome] += 1
        lines = each.note.split("\n") if each.note else []
        for what in dict.fromkeys(map(what_of, lines)):
            found.whats[each.outcome, what] += 1
    return found
