"""Case to notice, report to reply: rebuilt from an allow-list of facts, in Japanese or English. Pure."""

from __future__ import annotations

from abuse_pipeline.notices.notice import compose_notice
from abuse_pipeline.notices.permission import ReplyPermission, may_reply
from abuse_pipeline.notices.replies import compose_reply
from abuse_pipeline.notices.requests import NoticeRequest, ProviderFacts, ReplyRequest, ReplySection, ReportedFact

__all__ = [
    "NoticeRequest",
    "ProviderFacts",
    "ReplyPermission",
    "ReplyRequest",
    "ReplySection",
    "ReportedFact",
    "compose_notice",
    "compose_reply",
    "may_reply",
]
