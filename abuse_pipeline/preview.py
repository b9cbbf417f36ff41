"""What would go out for one report if it were taken in now. Nothing is stored and nobody is asked."""

from __future__ import annotations

from datetime import datetime

from abuse_pipeline.assess import Assessment
from abuse_pipeline.compose import NoticeMatter, Stamp, fact_of, gated_notice, gated_reply, needles_of, notice_due_at
from abuse_pipeline.desk import Desk
from abuse_pipeline.model import Envelope, NoticeFact, Outgoing
from abuse_pipeline.notices import ReportedFact

_TOKEN = "PREVIEW"


def preview_outgoing(
    assessment: Assessment, raw: bytes, envelope: Envelope, desk: Desk, now: datetime
) -> tuple[Outgoing, ...]:
    """One notice for each customer and kind of abuse, then the reply if there is one, as the leak gate leaves them."""
    needles = needles_of(assessment, raw, envelope, desk)
    due = notice_due_at(now, desk)
    cases: dict[tuple[str, str, str], list[NoticeFact]] = {}
    for judged in assessment.incidents:
        fact = fact_of(judged)
        if fact is not None and judged.holder.customer is not None:
            cases.setdefault((judged.holder.customer, fact.category, fact.type), []).append(fact)
    notices = [
        gated_notice(
            NoticeMatter(desk.table.customers[customer], _of_one(facts), lambda _: needles, assessment.reporter),
            desk,
            Stamp("preview", _TOKEN, due),
        )
        for (customer, _, _), facts in cases.items()
    ]
    reply = gated_reply(assessment, envelope, desk, Stamp("preview-reply", _TOKEN, now + desk.settings.replies.delay))
    return (*notices, *([reply] if reply is not None else []))


def _of_one(facts: list[NoticeFact]) -> tuple[ReportedFact, ...]:
    """Everything in one report rests on one reporter."""
    return tuple(ReportedFact(fact, 1, frozenset({0})) for fact in facts)
