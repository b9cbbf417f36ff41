"""Notices and replies word for word, as their readers see them.

``python tests/notices/test_golden_letters.py`` rewrites the files; read them before committing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from letters import (
    ACKNOWLEDGE,
    ATTACK,
    CONTENT,
    ELSEWHERE,
    ENGLISH,
    ENGLISH_PROVIDER,
    GROUP,
    POSTAL,
    PROVIDER,
    SPAM,
    WRITTEN,
    notice_request,
    readable,
    reply_request,
)

from abuse_pipeline.model import Disposition, Missing
from abuse_pipeline.notices import ReplySection, compose_notice, compose_reply

GOLDEN = Path(__file__).with_name("golden")
EVERYTHING = ReplySection(Disposition.ASK_REPORTER, tuple(Missing))
POSTED = replace(PROVIDER, postal_address=POSTAL)
IN_ENGLISH = {"language": "en", "provider": ENGLISH_PROVIDER}

LETTERS = {
    "notice-mail-few-reporters.ja": compose_notice(notice_request(SPAM)),
    "notice-mail-many-reporters.ja": compose_notice(notice_request(*[SPAM] * 12, reporters=12)),
    "notice-mixed.ja": compose_notice(notice_request(SPAM, ATTACK, CONTENT)),
    "notice-mail.en": compose_notice(notice_request(SPAM, customer=ENGLISH, provider=ENGLISH_PROVIDER)),
    "notice-mixed.en": compose_notice(
        notice_request(*[SPAM] * 6, ATTACK, CONTENT, reporters=6, customer=ENGLISH, provider=ENGLISH_PROVIDER)
    ),
    "reply-acknowledgement.ja": compose_reply(reply_request(ACKNOWLEDGE)),
    "reply-ask.ja": compose_reply(reply_request(EVERYTHING)),
    "reply-referrals.ja": compose_reply(reply_request(GROUP, ELSEWHERE)),
    "reply-written-procedure.ja": compose_reply(reply_request(WRITTEN, provider=POSTED)),
    "reply-acknowledgement.en": compose_reply(reply_request(ACKNOWLEDGE, **IN_ENGLISH)),
    "reply-ask.en": compose_reply(reply_request(EVERYTHING, **IN_ENGLISH)),
    "reply-referrals.en": compose_reply(reply_request(GROUP, ELSEWHERE, **IN_ENGLISH)),
    "reply-written-procedure.en": compose_reply(reply_request(WRITTEN, **IN_ENGLISH)),
}


@pytest.mark.parametrize("name", LETTERS)
def test_the_letter_reads_as_agreed(name: str) -> None:
    assert readable(LETTERS[name]) == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_no_letter_is_forgotten() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(LETTERS)


if __name__ == "__main__":
    for name, message in LETTERS.items():
        (GOLDEN / f"{name}.txt").write_text(readable(message), "utf-8")
