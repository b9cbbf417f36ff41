"""A forward into the text: the reporter's mail program quotes the head of the mail and carries its attachments along.

Then an attached message is not what the reporter attached but what was attached to the spam: its sender wrote it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from abuse_pipeline.api import Mail, html_to_text
from parsers._attached import is_attached_message

_SCANNED = 64 * 1024
_BLOCK_LINES = 12
_BODIES = ("text/plain", "text/html")
_BODIES_LOOKED_AT = 8
_MARKER = re.compile(
    r"[ \t>|]*(?:[-=*_]{2,80}[ \t]*)?(?:begin )?(?:"
    r"forwarded (?:message|mail|by)|forward(?:ed)?\b(?=[ \t]*[-=*_]{2})|original (?:message|mail)"
    r"|(?:以下は|以下、)?(?:転送|フォワード)(?:された|元の?)?(?:メッセージ|メール|文)|転送(?=[ \t]*[-=*_]{2})"
    r"|元の(?:メッセージ|メール)|オリジナル(?:メッセージ|メール)"
    r"|weitergeleitete nachricht|urspr(?:ü|ue)ngliche nachricht|message (?:transféré|d'origine)"
    r"|mensaje (?:reenviado|original)|转发的?邮件|原始邮件|轉寄郵件|原始郵件|전달된 메시지|원본 메시지"
    r")[^\n]{0,60}",
    re.IGNORECASE,
)
_LABELS = (
    ("from", r"from|差出人|送信者|送信元|von|de|发件人|寄件者|보낸 ?사람"),
    ("date", r"date|sent|日付|日時|送信日時|送信日|受信日時|datum|gesendet|fecha|enviado|envoyé|发送时间|日期|날짜"),
    ("to", r"to|宛先|宛て先|受信者|an|para|à|收件人|收件者|받는 ?사람"),
    ("subject", r"subject|件名|題名|表題|タイトル|betreff|objet|asunto|主题|主旨|제목"),
)
_LABEL = re.compile(
    r"[ \t>|*]*(?:" + "|".join(f"(?P<{kind}>{words})" for kind, words in _LABELS) + r")[ \t*]*:", re.IGNORECASE
)
_OUTLOOK = ("from", "date", "to", "subject")
_REPLY = re.compile(r"\s*(?:re|aw|sv|返信)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)


def forwards_inline(mail: Mail, own_addresses: frozenset[str]) -> bool:
    """Whether the text of *mail* quotes the head of another mail as a forward does.

    A line that marks the quotation with two header lines below it counts, or the four lines with which Outlook begins
    one; prose that speaks of forwarding does not. An answer to a question of ours quotes our own mail, and what it
    carries was attached by hand: answering leaves the attachments behind.
    """
    answer = bool(_REPLY.match((mail.header("Subject") or "")[:200]))
    for text in _own_texts(mail):
        lines = [line for line in unicodedata.normalize("NFKC", text[:_SCANNED]).splitlines() if line.strip()]
        for block in _blocks(lines):
            ours = any(address in line.lower() for line in block for address in own_addresses if _is_from(line))
            if not (answer and ours):
                return True
            break  # below our own words stands the older mail that we answered
    return False


def _own_texts(mail: Mail) -> Iterator[str]:
    """Plain text and HTML alike: an HTML mail may carry plain text of the spam along."""
    bodies = (part for part in mail.walk() if part.disposition != "attachment" and part.content_type in _BODIES)
    for part in islice(bodies, _BODIES_LOOKED_AT):
        if part.children or is_attached_message(part):
            continue
        if part.content_type == "text/plain":
            yield part.text()
        else:
            yield html_to_text(part.text())


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    kinds = [_kind(line) for line in lines]
    for at, line in enumerate(lines):
        below = {kind for kind in kinds[at : at + _BLOCK_LINES] if kind is not None}
        marked = len(below) >= 2 and _MARKER.fullmatch(line.rstrip()) is not None
        if marked or (kinds[at] == "from" and _outlook_like(kinds[at : at + 8])):
            yield lines[at : at + _BLOCK_LINES]


def _outlook_like(kinds: list[str | None]) -> bool:
    """From, Sent, To and Subject in this order, with nothing else but Cc and continued lines between them."""
    return tuple(dict.fromkeys(kind for kind in kinds if kind is not None))[:4] == _OUTLOOK


def _kind(line: str) -> str | None:
    found = _LABEL.match(line)
    return found.lastgroup if found else None


def _is_from(line: str) -> bool:
    return _kind(line) == "from"
