"""Why a recording belongs to a template, and why not to the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from leap_pipeline.domain.matcher import Candidate, in_order
from leap_pipeline.domain.matching import EXCLUDING, TAKING, Kind, compared, composed
from leap_pipeline.domain.stored_rules import StoredRules, read_rules


class Outcome(StrEnum):
    """What became of a template; the first that holds."""

    DRAFT = "draft"
    INACTIVE = "inactive"
    UNREADABLE = "unreadable"
    OTHER_SOURCE = "other_source"
    EXCLUDED = "excluded"
    NO_RULES = "no_rules"
    NO_HIT = "no_hit"
    KIND_MISSING = "kind_missing"
    LATER = "later"
    WINS = "wins"


@dataclass(frozen=True)
class Hit:
    """A rule, by its list and its place in it, and the characters of the name that it hit."""

    kind: Kind
    index: int
    rule: str
    start: int
    end: int


@dataclass(frozen=True)
class Verdict:
    """One template's; `why` is a sentence, `problems` names rules that cannot be read."""

    template_id: int
    template: str
    outcome: Outcome
    why: str
    hits: tuple[Hit, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """`verdicts` are in the order in which templates are tried; `name` is the one compared."""

    name: str
    source_id: int | None
    verdicts: tuple[Verdict, ...]

    @property
    def winner(self) -> Verdict | None:
        return next((each for each in self.verdicts if each.outcome is Outcome.WINS), None)


def explain(
    candidates: Iterable[Candidate], display_name: str, source_id: int | None
) -> Explanation:
    """Every template's verdict on a recording of that name and source."""
    name = composed(display_name)
    verdicts: list[Verdict] = []
    winner: Verdict | None = None
    for candidate in in_order(candidates):
        verdict = _verdict(candidate, compared(name), source_id)
        if verdict.outcome is Outcome.WINS:
            if winner is None:
                winner = verdict
            else:
                older = f"“{winner.template}” ({winner.template_id})"
                verdict = replace(
                    verdict,
                    outcome=Outcome.LATER,
                    why=f"{verdict.why}, but the older template {older} wins",
                )
        verdicts.append(verdict)
    return Explanation(name, source_id, tuple(verdicts))


def _verdict(candidate: Candidate, names: Sequence[str], source_id: int | None) -> Verdict:
    """The verdict as if there were no older template; each name begins with the ones after it."""
    name, rules = names[0], read_rules(candidate.rules)
    spans = [(rule, next(filter(None, map(rule.search, names)), None)) for rule in rules.rules]
    hits = tuple(
        Hit(rule.kind, rule.index, rule.text, *span) for rule, span in spans if span is not None
    )
    outcome, why = (
        _not_tried(candidate, rules)
        or _kept_out(rules, hits, source_id)
        or _no_hit(rules, hits)
        or (Outcome.WINS, _said(next(hit for hit in hits if hit.kind in TAKING), name))
    )
    return Verdict(candidate.id, candidate.name, outcome, why, hits, rules.problems)


def _not_tried(candidate: Candidate, rules: StoredRules) -> tuple[Outcome, str] | None:
    if candidate.is_draft:
        return Outcome.DRAFT, "it is a draft"
    if not candidate.is_active:
        return Outcome.INACTIVE, "it is switched off"
    if rules.closed:
        return Outcome.UNREADABLE, f"it takes nothing until its rules are mended: {_first(rules)}"
    return None


def _kept_out(
    rules: StoredRules, hits: tuple[Hit, ...], source_id: int | None
) -> tuple[Outcome, str] | None:
    if rules.sources is not None and source_id not in rules.sources:
        wanted = ", ".join(map(str, sorted(rules.sources))) or "none that can be read"
        comes = "no source" if source_id is None else f"source {source_id}"
        return (
            Outcome.OTHER_SOURCE,
            f"the recording comes from {comes}, source_ids names {wanted}",
        )
    excluding = next((hit for hit in hits if hit.kind in EXCLUDING), None)
    if excluding is not None:
        return Outcome.EXCLUDED, f"{excluding.kind}[{excluding.index}] “{excluding.rule}” is in it"
    return None


def _no_hit(rules: StoredRules, hits: tuple[Hit, ...]) -> tuple[Outcome, str] | None:
    wanted = [kind for kind in TAKING if kind in rules.said]
    missing = [kind for kind in wanted if not any(hit.kind is kind for hit in hits)]
    told = f" ({_first(rules)})" if rules.problems else ""
    if not wanted:
        return Outcome.NO_RULES, f"it has no rule that takes anything{told}"
    if missing == wanted:
        return Outcome.NO_HIT, f"nothing hits of its {', '.join(wanted)}{told}"
    if rules.every_kind and missing:
        return (
            Outcome.KIND_MISSING,
            f"match_mode is all, and nothing hits of its {', '.join(missing)}{told}",
        )
    return None


def _said(hit: Hit, name: str) -> str:
    return f"{hit.kind}[{hit.index}] “{hit.rule}” hits “{name[hit.start : hit.end]}”"


def _first(rules: StoredRules) -> str:
    return rules.problems[0] if rules.problems else ""
