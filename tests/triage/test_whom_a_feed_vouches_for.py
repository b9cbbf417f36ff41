"""A feed vouches for the reports that it writes itself, and for nothing that somebody else put into one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from abuse_pipeline.assess import Assessment, assess
from abuse_pipeline.desk import build_desk
from abuse_pipeline.model import Confidence, Disposition, Envelope
from abuse_pipeline.settings import load_settings

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DESK = build_desk(load_settings(Path(__file__).parents[2] / "config" / "abuse.toml"))
FEED = "From: FBL <fbl@fbl.tayorimail.example>"
FEEDBACK = (
    "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: t\nVersion: 1\n"
    "Source-IP: 192.0.2.7\nArrival-Date: Fri, 20 Nov 2026 14:03:12 +0900\n"
)
STAMP = "by mx.tayorimail.example (Postfix) with ESMTP id 1; Fri, 20 Nov 2026 14:03:12 +0900 (JST)"
EVIL = f"Received: from evil.example (evil.example [203.0.113.66])\n\t{STAMP}\n"


def message(head: str, *parts: str, boundary: str = "b") -> str:
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f"{head}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary={boundary}\n\n{body}--{boundary}--\n"


def judged(text: str) -> Assessment:
    return assess(text.encode().replace(b"\n", b"\r\n"), Envelope(), DESK, NOW)


def test_a_feeds_own_fields_stand() -> None:
    found = judged(message(FEED, FEEDBACK))
    assert found.disposition is Disposition.NOTIFY_CUSTOMER
    assert found.incidents[0].origin.confidence is Confidence.REPORTED


@pytest.mark.parametrize(
    "senders",
    [
        f"{FEED}\nFrom: evil@evil.example",
        f"From: evil@evil.example\n{FEED}",
        f"{FEED}, evil@evil.example",
        f"{FEED}\nFrom: nobody at all",
    ],
)
def test_with_several_authors_nobody_is_vouched_for(senders: str) -> None:
    found = judged(message(senders, FEEDBACK))
    assert found.disposition is Disposition.STAFF


def test_a_spam_that_a_feed_attaches_does_not_speak_for_the_feed() -> None:
    spam = message(
        f"{EVIL}From: x@spam.example\nSubject: hi", "Content-Type: text/plain\n\nbuy", FEEDBACK, boundary="s"
    )
    found = judged(message(FEED, f"Content-Type: message/rfc822\n\n{spam}"))
    assert found.disposition is Disposition.STAFF
    assert str(found.incidents[0].origin.ip) == "203.0.113.66"


def test_a_stated_time_that_the_chain_contradicts_is_for_staff() -> None:
    spam = EVIL.replace("203.0.113.66", "192.0.2.7") + "From: x@spam.example\nSubject: hi\n\nbuy"
    fits = message(FEED, FEEDBACK, f"Content-Type: message/rfc822\n\n{spam}")
    assert judged(fits).disposition is Disposition.NOTIFY_CUSTOMER
    assert judged(fits.replace("Arrival-Date: Fri, 20", "Arrival-Date: Thu, 5")).disposition is Disposition.STAFF
