"""Why a template takes a recording, or does not, in the words of whoever reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dashboard.texts import mark, t
from dashboard.words import html
from leap_pipeline.domain.match_explanation import Explanation, Outcome, Verdict
from leap_pipeline.domain.matching import EXCLUDING, TAKING

WORDS: Mapping[Outcome, str] = {
    Outcome.DRAFT: mark("it is a draft"),
    Outcome.INACTIVE: mark("it is switched off"),
    Outcome.UNREADABLE: mark("takes nothing until its rules are mended"),
    Outcome.OTHER_SOURCE: mark("takes recordings of other sources only"),
    Outcome.EXCLUDED: mark("leaves out what has “{rule}”"),
    Outcome.NO_RULES: mark("has no rule that takes anything"),
    Outcome.NO_HIT: mark("none of its rules fits"),
    Outcome.KIND_MISSING: mark("wants each kind of its rules to fit, and not each does"),
    Outcome.LATER: mark("“{rule}” fits, but an older template comes first"),
    Outcome.WINS: mark("takes it, because “{rule}” fits"),
}


def verdicts(told: Explanation, name: str, own: int) -> Iterator[str]:
    """Each template's verdict as an item of a list, in the order in which they are tried.

    `name` is what the template `own` is called as it is typed.
    """
    for each in told.verdicts:
        title = name if each.template_id == own and name else each.template
        words = f"{html(title)}: {html(_words(each))}"
        yield f"<li>{f'<b>{words}</b>' if each.outcome is Outcome.WINS else words}</li>"


def _words(verdict: Verdict) -> str:
    kinds = EXCLUDING if verdict.outcome is Outcome.EXCLUDED else TAKING
    rule = next((hit.rule for hit in verdict.hits if hit.kind in kinds), "")
    return t(WORDS[verdict.outcome], rule=rule)
